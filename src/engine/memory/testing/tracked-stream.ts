// A stream whose every token's position is known at any time: what Positions hands out, brought down as each move
// says. The judge of what the kernel does to keys.

import type { FrameShape, Position } from '../../decoder/rotary';
import { type Move, Positions, type PositionsState } from '../positions';

export interface TrackedToken {
  position: Position;
  /** Of its frame; undefined for text. */
  readonly time?: number;
}

/** All that a stream is, but for its range and the shape of its frames. */
export interface TrackedState {
  readonly positions: PositionsState;
  readonly tokens: readonly (readonly [seq: number, token: Readonly<TrackedToken>])[];
  readonly seq: number;
  readonly frames: number;
}

export class TrackedStream {
  readonly positions: Positions;
  readonly frameShape: FrameShape;
  /** By sequence number. */
  tokens = new Map<number, TrackedToken>();
  seq = 0;
  frames = 0;

  constructor(range: number, frameShape: FrameShape) {
    this.positions = new Positions(range);
    this.frameShape = frameShape;
  }

  get state(): TrackedState {
    const { positions, seq, frames } = this;
    return { positions: positions.state, tokens: copied(this.tokens), seq, frames };
  }

  restore({ positions, tokens, seq, frames }: TrackedState): void {
    this.positions.restore(positions);
    this.tokens = new Map(copied(tokens));
    this.seq = seq;
    this.frames = frames;
  }

  text(count: number): Position[] {
    return this.#put(this.positions.text(this.seq, count));
  }

  openVideo(): void {
    this.positions.openVideo(this.seq, this.frameShape);
  }

  /** The time right behind the frame before, where every frame comes so. */
  get nextTime(): number {
    return this.frames * this.frameShape.duration;
  }

  /** The next frame, of the open video or a new one. */
  frame(time = this.nextTime): Position[] {
    if (!this.positions.inVideo) this.openVideo();
    this.frames++;
    return this.#put(this.positions.frame(time), time);
  }

  /** Takes back the newest text. */
  rollback(count: number): void {
    for (let i = 0; i < count; i++) this.tokens.delete(--this.seq);
    this.positions.rollback(this.seq);
  }

  drop(first: number, end: number): void {
    this.positions.drop(first, end);
    for (let seq = first; seq < end; seq++) this.tokens.delete(seq);
  }

  makeRoom(count: number): readonly Move[] {
    const moves = this.positions.makeRoom(count);
    if (moves.length === 0) return moves;
    const age = (time: number, zero: number) => Math.max(0, time - zero);
    for (const [seq, token] of this.tokens) {
      const move = moves.findLast(({ first }) => first <= seq);
      if (!move) continue;
      const { time, position } = token;
      const seconds = time === undefined ? 0 : age(time, move.zeroBefore) - age(time, move.zeroAfter);
      const [at, row, column] = position;
      token.position = [at - move.shift - seconds, row - move.shift, column - move.shift];
    }
    return moves;
  }

  /** Time positions in order: of every text token, and of the first token of each frame. */
  get times(): number[] {
    const first = [...this.tokens].filter(
      ([seq, { time }]) => time === undefined || this.tokens.get(seq - 1)?.time !== time,
    );
    return first.map(([, { position }]) => position[0]);
  }

  at(seq: number): Position {
    return this.tokens.get(seq)!.position;
  }

  #put(positions: Position[], time?: number): Position[] {
    for (const position of positions) this.tokens.set(this.seq++, { position, time });
    return positions;
  }
}

function copied(tokens: Iterable<readonly [number, TrackedToken]>): [seq: number, token: TrackedToken][] {
  return Array.from(tokens, ([seq, token]) => [seq, { ...token }]);
}
