// The speed of a download over its last seconds, and how long it will take.

const WINDOW_MS = 5000;

export interface Speed {
  readonly bytesPerSecond: number;
  /** Null while nothing moves. */
  readonly secondsLeft: number | null;
}

/** Tells the speed from a series of readings of how far a download is. */
export class Speedometer {
  #readings: { readonly timeMs: number; readonly bytes: number }[] = [];

  /** Takes a reading. Times must rise. */
  at(timeMs: number, bytes: number, bytesTotal: number): Speed {
    this.#readings.push({ timeMs, bytes });
    while (this.#readings.length > 2 && this.#readings[0]!.timeMs < timeMs - WINDOW_MS)
      this.#readings.shift();
    const first = this.#readings[0]!;
    const elapsedMs = timeMs - first.timeMs;
    const bytesPerSecond = elapsedMs > 0 ? Math.max(0, ((bytes - first.bytes) * 1000) / elapsedMs) : 0;
    const left = bytesTotal - bytes;
    if (left <= 0) return { bytesPerSecond, secondsLeft: 0 };
    return { bytesPerSecond, secondsLeft: bytesPerSecond > 0 ? left / bytesPerSecond : null };
  }
}
