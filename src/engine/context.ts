// The decoder's context: all it can attend to. Every token comes in here, text and frames, and is given a slot of
// the ring and a position; where there is no room, the oldest turns of the conversation go. Which tokens come when
// is the session's to say.

import type { Sampling } from './contract';
import type { Block } from './decoder/decoder';
import { Dialogue, type Exchange } from './dialogue';
import { InvalidInputError } from './errors';
import { submit } from './gpu/program';
import { Moments, type SeenFrame } from './memory/moments';
import { Positions, type PositionsState, side } from './memory/positions';
import type { Region } from './memory/ring';
import type { SeqRange } from './memory/seq-range';
import { type ClockState, StreamClock } from './memory/stream-clock';
import type { Model } from './model';

/** What saving takes of a context besides the ring. Plain data. */
export interface ContextState {
  readonly dialogue: readonly Exchange[];
  readonly positions: PositionsState;
  readonly clock: ClockState;
  readonly moments: readonly SeenFrame[];
}

export class Context {
  readonly positions: Positions;
  readonly dialogue = new Dialogue();
  readonly moments = new Moments();
  readonly #clock: StreamClock;
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
    this.positions = new Positions(model.trainedPositions);
    this.#clock = new StreamClock(model.video.positionsPerSecond, model.frameShape.duration);
  }

  /** Forgets everything. */
  clear(): void {
    this.#model.ring.reset();
    this.dialogue.clear();
    this.positions.clear();
    this.#clock.clear();
    this.moments.clear();
  }

  get state(): ContextState {
    return {
      dialogue: this.dialogue.state,
      positions: this.positions.state,
      clock: this.#clock.state,
      moments: this.moments.seen,
    };
  }

  /** Takes over a saved state; the ring is restored apart. */
  restore({ dialogue, positions, clock, moments }: ContextState): void {
    this.dialogue.restore(dialogue);
    this.positions.restore(positions);
    this.#clock.restore(clock);
    this.moments.restore(moments);
  }

  /** Prefills text, in blocks; nothing is sampled. */
  text(region: Region, ids: readonly number[]): SeqRange {
    const { decoder, gpu, ring } = this.#model;
    const first = ring.nextSeq;
    this.#makePositions(ids.length);
    for (const block of this.#blocks(region, ids)) {
      submit(gpu.device, 'prefill text', decoder.prefill(block));
    }
    return { first, end: ring.nextSeq };
  }

  /** Prefills a question and samples the answer's first token. */
  async question(ids: readonly number[], sampling: Sampling): Promise<number> {
    const { decoder, gpu } = this.#model;
    this.#makePositions(ids.length);
    const blocks = [...this.#blocks('dialogue', ids)];
    const last = blocks.pop()!;
    for (const block of blocks) submit(gpu.device, 'prefill question', decoder.prefill(block));
    return decoder.submitSampled(
      'prefill question',
      decoder.prefill({ ...last, choice: { sampling, draw: 0 } }),
    );
  }

  /** Slot and position of the answer's next token. */
  answerToken() {
    this.#makePositions(1);
    const place = this.#model.ring.allocate('dialogue', 1);
    return { place, position: this.positions.text(place.firstSeq, 1)[0]! };
  }

  /** Takes back the newest text tokens. */
  rollback(tokens: number): void {
    this.#model.ring.rollback(tokens);
    this.positions.rollback(this.#model.ring.nextSeq);
  }

  /** Begins a video: frames from now on are of it. */
  openVideo(): void {
    this.positions.openVideo(this.#model.ring.nextSeq, this.#model.frameShape);
    this.#clock.openVideo();
  }

  /** When the two frames of the next temporal patch were, in milliseconds from the first frame of all. */
  streamTimes([first, second]: readonly [number, number]): readonly [number, number] {
    return [this.#clock.streamMs(first), this.#clock.streamMs(second)];
  }

  /** Slots and positions of one more frame of the open video; its embeddings are the encoder's to leave. */
  frame(streamMs: number): Block {
    const { ring, grid } = this.#model;
    const place = ring.allocate('visual', grid.tokens);
    const time = this.#clock.frame(streamMs, this.positions.latestTime);
    return { place, positions: this.positions.frame(time), time };
  }

  /**
   * Makes room for a frame after `opening` text tokens, in the ring as its policy says. After a pause in a video that
   * would take more than a quarter of the trained positions, what is beyond does not count.
   * @returns whether it pruned.
   */
  makeFrameRoom(opening: number, streamMs: number): boolean {
    const { ring, rotation, grid, frameShape } = this.#model;
    const pruned = ring.makeRoom(() => rotation.locate(this.positions.waysBack, ring.nextSeq));
    // No more frames keep their text than could be held whole.
    this.#drop(this.dialogue.dropSeparators(Math.floor(ring.budget / grid.tokens) - 1));
    this.#dropTurns(opening);
    const seconds = Math.min(this.#clock.advance(streamMs), Math.floor(this.positions.range / 4));
    this.#makePositions(opening + Math.max(side(frameShape), seconds));
    return pruned;
  }

  /**
   * Lets go of the oldest turns until `needed` tokens fit, and after them an answer of `longest`; of a longer
   * one, as much as a quarter of the dialogue's share.
   * @returns how long the answer may get.
   * @throws InvalidInputError when `needed` never fit.
   */
  makeTextRoom(needed: number, longest: number): number {
    const possible = this.#mostTextRoom - needed;
    if (possible < 1) {
      throw new InvalidInputError(
        possible + needed > 0
          ? `The question takes ${needed} tokens, but only ${possible + needed} fit. Ask in fewer words.`
          : 'There is no room for a question. Load the model with more room for text, or forget what was seen.',
      );
    }
    const share = this.#textRoom + this.#model.ring.counts.dialogue;
    const wanted = Math.min(longest, possible, Math.ceil(share / 4));
    this.#dropTurns(needed + wanted);
    // At once, so that it need not be in the middle of the answer.
    this.#makePositions(needed + wanted);
    return Math.min(longest, this.#textRoom - needed);
  }

  /** Text tokens there is still room for, in slots and in positions. */
  get #textRoom(): number {
    return Math.min(this.#model.ring.textRoom, this.positions.textRoom);
  }

  /** The same once every turn has gone. Where two videos become one, that frees more positions than it had words. */
  get #mostTextRoom(): number {
    const { ring } = this.#model;
    const turns = this.dialogue.releasable;
    const words = turns.reduce((sum, { first, end }) => sum + end - first, 0);
    return Math.min(ring.textRoom + words, this.positions.textRoomWithout(turns));
  }

  /** Lets go of the oldest turns until there is room for `needed` text tokens, or none is left. */
  #dropTurns(needed: number): void {
    while (this.#textRoom < needed) {
      const ranges = this.dialogue.dropOldest();
      if (ranges.length === 0) return;
      this.#drop(ranges);
    }
  }

  #drop(ranges: readonly SeqRange[]): void {
    for (const { first, end } of ranges) {
      this.#model.ring.dropDialogue(first, end);
      this.positions.drop(first, end);
    }
  }

  /** Rebases the keys held where the next `count` positions would pass the trained range. */
  #makePositions(count: number): void {
    this.#model.rotation.rebase(this.positions.makeRoom(count), this.#model.ring.nextSeq);
  }

  /** Allocates text and cuts it into blocks the decoder can take. */
  *#blocks(region: Region, ids: readonly number[]): Generator<Block> {
    const { decoder, ring } = this.#model;
    for (let at = 0; at < ids.length; at += decoder.blockTokens) {
      const block = ids.slice(at, at + decoder.blockTokens);
      const place = ring.allocate(region, block.length);
      yield { ids: block, positions: this.positions.text(place.firstSeq, block.length), place };
    }
  }
}
