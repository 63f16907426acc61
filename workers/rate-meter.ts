// Events per second over the last few seconds.

/** Counts events and tells their recent rate. */
export class RateMeter {
  readonly #windowMs: number;
  #times: number[] = [];

  /** @param windowMs how far back the rate looks. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Notes an event at this time. Times must rise. */
  count(nowMs: number): void {
    this.#times.push(nowMs);
    this.#forget(nowMs);
  }

  /** Events per second up to now; 0 once the window has passed without any. */
  rate(nowMs: number): number {
    this.#forget(nowMs);
    const first = this.#times[0];
    if (first === undefined) return 0;
    // A burst shorter than a second counts as one, or its first event would be an endless rate.
    return (this.#times.length * 1000) / Math.max(1000, nowMs - first);
  }

  #forget(nowMs: number): void {
    const kept = this.#times.findIndex((time) => time > nowMs - this.#windowMs);
    this.#times = kept < 0 ? [] : this.#times.slice(kept);
  }
}
