// One thing at a time: operations on the ring take turns in the order they came. Once the timeline has failed
// (device lost, session closed), whoever waits or comes later is told so.

export class Timeline {
  #tail: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  /** Who is to be told when the timeline fails: only those waiting now, so that an endless stream leaves nothing. */
  readonly #waiting = new Set<(error: Error) => void>();

  /** Waits for its turn; what it returns ends the turn and must be called. */
  async enter(): Promise<() => void> {
    this.check();
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    // Who has the turn may never end it: an answer that nobody reads on.
    await this.unlessFailed(before);
    this.check();
    return release;
  }

  /** Runs an operation in its turn; one that fails has reported that itself. */
  async run(operation: () => Promise<void>): Promise<void> {
    const release = await this.enter();
    try {
      await operation();
    } finally {
      release();
    }
  }

  /** The promise's result, or the timeline's failure if that comes first. */
  unlessFailed<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      promise.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  /**
   * Throws what made an operation fail: the timeline's own failure, if it is that. A lost device shows first as a
   * failed read; the loss itself is told a moment later.
   */
  async rethrow(error: unknown): Promise<never> {
    await new Promise((resolve) => setTimeout(resolve));
    this.check();
    throw error;
  }

  /** @throws the failure, once there is one. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  fail(error: Error): void {
    this.#failure ??= error;
    for (const reject of this.#waiting) reject(this.#failure);
  }
}
