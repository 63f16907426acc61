// When the frames of a stream were, in time positions of its model: whole numbers that go on from video to video, so
// that time in which nothing was watched takes no position.

/** All that saving takes of a clock. Plain data. */
export interface ClockState {
  /** Timestamp of the stream's first frame. */
  readonly startMs: number | null;
  readonly next: number;
  readonly origin: { readonly time: number; readonly timestampMs: number } | null;
}

/** Part of a position by which a timestamp may be too early: sources round them. */
const ROUNDING = 0.01;

export class StreamClock {
  readonly #perSecond: number | undefined;
  readonly #duration: number;
  #startMs: number | null = null;
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
    this.#startMs = null;
    this.#next = 0;
    this.#origin = null;
  }

  get state(): ClockState {
    return { startMs: this.#startMs, next: this.#next, origin: this.#origin };
  }

  restore({ startMs, next, origin }: ClockState): void {
    this.#startMs = startMs;
    this.#next = next;
    this.#origin = origin;
  }

  /** The next frame is the first of a video. */
  openVideo(): void {
    this.#origin = null;
  }

  /** Seconds from the stream's first frame, which may be the next, to a moment of the next. */
  seconds(firstMs: number, momentMs: number): number {
    this.#startMs ??= firstMs;
    return Math.max(0, momentMs - this.#startMs) / 1000;
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
