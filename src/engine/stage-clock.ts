// How long stages take, without ever waiting for one: the queue says when the work submitted so far is done,
// and a stage lasts from when it was submitted, or the stage before it ended, until then.

export class StageClock {
  readonly #queue: GPUQueue;
  readonly #newest: Record<string, number> = {};
  #lastEnd = 0;

  constructor(queue: GPUQueue) {
    this.#queue = queue;
  }

  /** Milliseconds of each stage's newest run. */
  get newest(): Readonly<Record<string, number>> {
    return this.#newest;
  }

  /** Notes a stage that was timed elsewhere. */
  record(stage: string, ms: number): void {
    this.#newest[stage] = ms;
  }

  /** To be called before a stage is submitted; what it returns, after. That resolves when the stage is done. */
  start(stage: string): () => Promise<void> {
    const submitted = performance.now();
    return async () => {
      // A lost device rejects; whoever waits for the work itself learns of it there.
      await this.#queue.onSubmittedWorkDone().catch(() => {});
      const end = performance.now();
      this.#newest[stage] = end - Math.max(submitted, this.#lastEnd);
      this.#lastEnd = end;
    };
  }
}
