// When the frames of a stream were: in milliseconds from its first frame, on one clock whatever sources they come from,
// and in time positions of its model, whole numbers that go on from video to video, so that time in which nothing was
// watched takes no position.

/** All that saving takes of a clock. Plain data. */
export interface ClockState {
  /** The newest frame on the stream's clock, and how far behind the one before it. */
  readonly newest: { readonly ms: number; readonly stepMs: number } | null;
  /** From timestamps of the newest frame's source to the stream's clock. */
  readonly shiftMs: number;
  readonly next: number;
  readonly origin: { readonly time: number; readonly timestampMs: number } | null;
}

/** Part of a position by which a timestamp may be too early: sources round them. */
const ROUNDING = 0.01;

export class StreamClock {
  readonly #perSecond: number | undefined;
  readonly #duration: number;
  #newest: ClockState['newest'] = null;
  #shiftMs = 0;
  /** The time behind the newest frame. */
  #next = 0;
  /** Of the first frame of the open video, if it has one. */
  #origin: ClockState['origin'] = null;

  /**
   * @param perSecond positions a second; if left out, a frame comes right behind the one before, whenever it comes.
   * @param duration positions that a frame takes.
   */
  constructor(perSecond?: number, duration = 1) {
    this.#perSecond = perSecond;
    this.#duration = duration;
  }

  clear(): void {
    this.#newest = null;
    this.#shiftMs = 0;
    this.#next = 0;
    this.#origin = null;
  }

  get state(): ClockState {
    return { newest: this.#newest, shiftMs: this.#shiftMs, next: this.#next, origin: this.#origin };
  }

  restore({ newest, shiftMs, next, origin }: ClockState): void {
    this.#newest = newest;
    this.#shiftMs = shiftMs;
    this.#next = next;
    this.#origin = origin;
  }

  /** The next frame is the first of a video. */
  openVideo(): void {
    this.#origin = null;
  }

  /**
   * The next frame on the stream's clock, milliseconds from its first one. A timestamp below the newest frame's is of
   * another source, one watched after a restore as well: its clock goes on one step behind the newest frame, a step
   * being as far as that one was from the one before it.
   * @param timestampMs of the frame as its source has it.
   */
  streamMs(timestampMs: number): number {
    const { ms: newestMs, stepMs } = this.#newest ?? { ms: 0, stepMs: 0 };
    if (!this.#newest || timestampMs + this.#shiftMs < newestMs) {
      this.#shiftMs = newestMs + stepMs - timestampMs;
    }
    const ms = timestampMs + this.#shiftMs;
    this.#newest = { ms, stepMs: ms > newestMs ? ms - newestMs : stepMs };
    return ms;
  }

  /** Positions that a frame of that timestamp would move the stream on. */
  advance(timestampMs: number): number {
    return this.#at(timestampMs) + this.#duration - this.#next;
  }

  /**
   * The time of the next frame: not before the newest one's, and not behind `latest`. What it would have been behind
   * that is lost to all frames that follow.
   */
  frame(timestampMs: number, latest: number): number {
    const due = this.#at(timestampMs);
    const time = Math.min(due, latest);
    this.#origin ??= { time, timestampMs };
    this.#origin = { ...this.#origin, time: this.#origin.time - (due - time) };
    this.#next = time + this.#duration;
    return time;
  }

  #at(timestampMs: number): number {
    if (this.#perSecond === undefined || !this.#origin) return this.#next;
    const { time, timestampMs: first } = this.#origin;
    const elapsed = Math.floor(((timestampMs - first) / 1000) * this.#perSecond + ROUNDING);
    return Math.max(this.#next - this.#duration, time + elapsed);
  }
}
