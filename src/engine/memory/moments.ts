// Which frames stand for the stream when somebody looks at memory. Heads keep different tokens, so what is held may
// come from more frames than memory has room for, up to one a token and head. A few frames are told apart, the newest
// and others evenly over all that was seen; what lies between two of them is counted as one.

import { evenFrames } from './even-frames';

/** Most moments told apart, however long the stream. */
export const MOST_MOMENTS = 64;

/** The newest frames, all of which are told apart: what was just seen, and mostly still is in memory whole. */
const NEWEST = 16;

/** A frame of the stream: a temporal patch. */
export interface SeenFrame {
  /** Its number in the ring. */
  readonly frame: number;
  /** Of the first of its video frames. */
  readonly timestampMs: number;
}

export class Moments {
  #seen: readonly SeenFrame[] = [];

  /**
   * Ascending, at most {@link MOST_MOMENTS}; the stream's first frame and its newest are always among them. What was
   * given out stays as it is while frames are added.
   */
  get seen(): readonly SeenFrame[] {
    return this.#seen;
  }

  /** Adds the newest frame; one of the older ones may go for it. */
  add(moment: SeenFrame): void {
    this.#seen = [...this.#seen, moment];
    if (this.#seen.length <= MOST_MOMENTS) return;
    const older = this.#seen.slice(0, -NEWEST);
    const newest = this.#seen.slice(-NEWEST);
    const frames = older.map(({ frame }) => frame);
    const kept = new Set(evenFrames(frames, older.length - 1, newest[0]!.frame));
    this.#seen = [...older.filter(({ frame }) => kept.has(frame)), ...newest];
  }

  clear(): void {
    this.#seen = [];
  }

  /** Takes over what `seen` gave. */
  restore(seen: readonly SeenFrame[]): void {
    this.#seen = seen;
  }
}
