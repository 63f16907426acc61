// Decides which frames of a stream are watched, so that they come at the sampling rate however fast and
// unevenly the stream delivers.

/** Picks frames at an even rate from rising timestamps. */
export class SampleClock {
  readonly #intervalMs: number;
  #dueMs = Number.NEGATIVE_INFINITY;

  /** @param framesPerSecond how many frames a second are wanted at most. */
  constructor(framesPerSecond: number) {
    this.#intervalMs = 1000 / framesPerSecond;
  }

  /** Whether the frame of this time is to be watched. Times must rise. */
  takes(timestampMs: number): boolean {
    // A millisecond of slack: capture clocks round, and a frame due now must not wait for its successor.
    if (timestampMs < this.#dueMs - 1) return false;
    // Stay on the grid while frames come regularly; after a gap the grid starts anew at this frame.
    const onGrid = this.#dueMs + this.#intervalMs;
    this.#dueMs = onGrid > timestampMs ? onGrid : timestampMs + this.#intervalMs;
    return true;
  }
}
