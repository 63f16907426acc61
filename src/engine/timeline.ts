// One thing at a time: operations on the ring take turns in the order they came. Once the timeline has failed
// (device lost, session closed), whoever waits or comes later is told so.

export class Timeline {
  #tail: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  readonly #failed: Promise<never>;
  #reject: (error: Error) => void = () => {};

  constructor() {
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Nobody may be waiting when it fails.
    this.#failed.catch(() => {});
  }

  /** Waits for its turn; what it returns ends the turn and must be called. */
  async enter(): Promise<() => void> {
    this.check();
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    if (this.#failure) release();
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
    return Promise.race([promise, this.#failed]);
  }

  /** @throws the failure, once there is one. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject(error);
  }
}
