// Frames on their way into memory: paired into temporal patches, kept as pixels on the GPU, and when they come
// faster than they can be ingested, dropped oldest first.

import type { Frame, WatchResult } from './contract';
import type { FrameInput } from './vision/frame-input';

/** Two frames in one slot of the frame input, waiting to be encoded. */
export interface FramePair {
  readonly slot: number;
  /** Of the first frame and of the second. */
  readonly timesMs: readonly [number, number];
  readonly settle: { resolve(result: WatchResult): void; reject(error: unknown): void };
}

/** Frames taken in, and those of them dropped because the queue was full. */
export interface FrameCounts {
  readonly seen: number;
  readonly dropped: number;
}

export class FrameQueue {
  readonly #input: FrameInput;
  readonly #freeSlots: number[];
  readonly #ready: FramePair[] = [];
  /** The first frame of a pair that has no second yet. */
  #half: { slot: number; timestampMs: number } | undefined;
  #counts = { seen: 0, dropped: 0 };

  constructor(input: FrameInput) {
    this.#input = input;
    this.#freeSlots = Array.from({ length: input.slots }, (_, slot) => slot);
  }

  /** Pairs waiting. */
  get length(): number {
    return this.#ready.length;
  }

  /** Kept up to date until the queue is cleared; frames after that are counted anew. */
  get counts(): FrameCounts {
    return this.#counts;
  }

  /**
   * Takes a frame in and closes it.
   * @returns `waiting` for the first of a pair, else what becomes of the pair.
   * @throws InvalidInputError when the frame cannot be read.
   */
  push(frame: Frame, timestampMs: number): Promise<WatchResult> {
    const half = this.#half;
    if (half) {
      this.#input.write(half.slot, 1, frame);
      this.#counts.seen++;
      return this.#complete(half.slot, [half.timestampMs, timestampMs]);
    }
    const slot = this.#takeSlot();
    try {
      // Both halves, so that a frame whose second never comes can stand as a still picture.
      this.#input.write(slot, 'both', frame);
    } catch (error) {
      this.#freeSlots.push(slot);
      throw error;
    }
    this.#counts.seen++;
    this.#half = { slot, timestampMs };
    return Promise.resolve('waiting');
  }

  /** Makes a pair of a frame that has no second yet, as a still picture. */
  completeHalf(): void {
    // Whoever completes it learns what became of it otherwise.
    if (!this.#half) return;
    const { slot, timestampMs } = this.#half;
    this.#complete(slot, [timestampMs, timestampMs]).catch(() => {});
  }

  /** The oldest pair, to be ingested; its slot must be given back with `release`. */
  shift(): FramePair | undefined {
    return this.#ready.shift();
  }

  release(pair: FramePair): void {
    this.#freeSlots.push(pair.slot);
  }

  /** Drops all that waits, without counting it. @param counts what counting goes on from. */
  clear(counts: FrameCounts = { seen: 0, dropped: 0 }): void {
    for (const pair of this.#ready.splice(0)) {
      this.#freeSlots.push(pair.slot);
      pair.settle.resolve('dropped');
    }
    if (this.#half) this.#freeSlots.push(this.#half.slot);
    this.#half = undefined;
    this.#counts = { ...counts };
  }

  /** Tells whoever waits for a pair that it will not come to memory. */
  fail(error: Error): void {
    for (const pair of this.#ready.splice(0)) pair.settle.reject(error);
  }

  #complete(slot: number, timesMs: readonly [number, number]): Promise<WatchResult> {
    this.#half = undefined;
    return new Promise((resolve, reject) => {
      this.#ready.push({ slot, timesMs, settle: { resolve, reject } });
    });
  }

  #takeSlot(): number {
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    const oldest = this.#ready.shift();
    // Of all slots at most one is being encoded and none is half full here, so some pair is waiting.
    if (!oldest) throw new Error('The frame queue has neither a free nor a waiting slot');
    this.#counts.dropped += 2;
    oldest.settle.resolve('dropped');
    return oldest.slot;
  }
}
