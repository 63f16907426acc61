// Frames on their way into memory: one or two to a temporal patch, as the family has it, kept as pixels on the GPU, and
// when they come faster than they can be ingested, dropped oldest first.

import type { Frame, WatchResult } from './contract';
import type { FrameInput } from './vision/frame-input';

/** A slot of the frame input whose frames are there, waiting to be encoded. */
export interface TemporalPatch {
  readonly slot: number;
  /** Of the first frame and of the last. */
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
  readonly #ready: TemporalPatch[] = [];
  /** The first frame of two, of which the second has not come yet. */
  #half: { slot: number; timestampMs: number } | undefined;
  #counts = { seen: 0, dropped: 0 };

  constructor(input: FrameInput) {
    this.#input = input;
    this.#freeSlots = Array.from({ length: input.slots }, (_, slot) => slot);
  }

  /** Temporal patches waiting. */
  get length(): number {
    return this.#ready.length;
  }

  /** Kept up to date until the queue is cleared; frames after that are counted anew. */
  get counts(): FrameCounts {
    return this.#counts;
  }

  /**
   * Takes a frame in and closes it.
   * @returns `waiting` for the first of two, else what becomes of the temporal patch.
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
      // Filling the slot, so that a frame whose second never comes can stand as a still picture.
      this.#input.write(slot, 'all', frame);
    } catch (error) {
      this.#freeSlots.push(slot);
      throw error;
    }
    this.#counts.seen++;
    if (this.#input.framesPerPatch === 1) return this.#complete(slot, [timestampMs, timestampMs]);
    this.#half = { slot, timestampMs };
    return Promise.resolve('waiting');
  }

  /** Lets a frame that has no second yet fill its temporal patch, as a still picture. */
  completeHalf(): void {
    // Whoever completes it learns what became of it otherwise.
    if (!this.#half) return;
    const { slot, timestampMs } = this.#half;
    this.#complete(slot, [timestampMs, timestampMs]).catch(() => {});
  }

  /** The oldest, to be ingested; its slot must be given back with `release`. */
  shift(): TemporalPatch | undefined {
    return this.#ready.shift();
  }

  release({ slot }: TemporalPatch): void {
    this.#freeSlots.push(slot);
  }

  /** Drops all that waits, without counting it. @param counts what counting goes on from. */
  clear(counts: FrameCounts = { seen: 0, dropped: 0 }): void {
    for (const { slot, settle } of this.#ready.splice(0)) {
      this.#freeSlots.push(slot);
      settle.resolve('dropped');
    }
    if (this.#half) this.#freeSlots.push(this.#half.slot);
    this.#half = undefined;
    this.#counts = { ...counts };
  }

  /** Tells whoever waits for frames that they will not come to memory. */
  fail(error: Error): void {
    for (const { settle } of this.#ready.splice(0)) settle.reject(error);
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
    // Of all slots at most one is being encoded and none is half full here, so one is waiting.
    if (!oldest) throw new Error('The frame queue has neither a free nor a waiting slot');
    this.#counts.dropped += this.#input.framesPerPatch;
    oldest.settle.resolve('dropped');
    return oldest.slot;
  }
}
