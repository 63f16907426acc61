// One request for a range and its answer, chunk by chunk, with a watch for stalls; and how often to try again.
import { DownloadError, messageOf } from '../errors';

export interface HttpOptions {
  /** The global `fetch` if left out. */
  readonly fetch?: typeof globalThis.fetch;
  /** A connection without a byte for so long counts as broken. */
  readonly stallMs?: number;
  /** How often in a row, without a byte between, a request is made again. */
  readonly retries?: number;
  /** Pause before the first of them; each further one is twice as long. */
  readonly retryMs?: number;
}

/** How long no byte may come where nothing else is asked for. */
export const STALL_MS = 20_000;
const RETRIES = 5;
const RETRY_MS = 500;

/** A request that came to nothing, or not to its end, and is worth another try. */
export class Interruption extends Error {}

/** A request under way. To be ended by `end`, whatever came of it. */
export class Exchange {
  readonly #url: string;
  readonly #options: HttpOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(url: string, options: HttpOptions, signal?: AbortSignal) {
    this.#url = url;
    this.#options = options;
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
  }

  /** Asks for bytes `first` to `last`, both included. @throws Interruption when no answer comes. */
  answer(first: number, last: number): Promise<Response> {
    const { fetch = globalThis.fetch } = this.#options;
    return this.#watched(async () => {
      // The file is kept by us or not at all, so the browser's cache is to stay out of it. A conditional range
      // (If-Range) would need the leave of a server on another site, so versions are compared by the caller.
      const init: RequestInit = { cache: 'no-store', headers: { Range: `bytes=${first}-${last}` } };
      const response = await fetch(this.#url, { ...init, signal: this.#signal });
      this.#reader = response.body?.getReader();
      return response;
    });
  }

  /** The next bytes of the answer. @throws Interruption when there are none. */
  chunk(): Promise<Uint8Array> {
    return this.#watched(async () => {
      const next = await this.#reader?.read();
      if (next?.value) return next.value;
      throw new Interruption('the connection was closed');
    });
  }

  /** Lets go of what has not arrived. */
  end(): void {
    this.#stop.abort();
  }

  async #watched<T>(wait: () => Promise<T>): Promise<T> {
    const { stallMs = STALL_MS } = this.#options;
    const stalled = () => this.#stop.abort(new Interruption(`nothing came for ${stallMs / 1000} s`));
    const timer = setTimeout(stalled, stallMs);
    try {
      return await wait();
    } catch (cause) {
      if (cause instanceof Interruption) throw cause;
      throw new Interruption(messageOf(cause), { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Counts the interruptions of a download in a row and waits longer after each. */
export class Retries {
  readonly #name: string;
  readonly #options: HttpOptions;
  readonly #signal: AbortSignal | undefined;
  #count = 0;

  /** @param name of the file, for messages. */
  constructor(name: string, options: HttpOptions, signal?: AbortSignal) {
    this.#name = name;
    this.#options = options;
    this.#signal = signal;
  }

  /** Bytes came: what was before does not count any more. */
  progress(): void {
    this.#count = 0;
  }

  /**
   * Returns when it is time for another try.
   * @throws the signal's reason when aborted; `error` itself unless it is an Interruption; DownloadError when these
   *   have become too many.
   */
  async after(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(error instanceof Interruption)) throw error;
    const { retries = RETRIES, retryMs = RETRY_MS } = this.#options;
    if (this.#count >= retries) {
      throw new DownloadError(
        `${this.#name} could not be downloaded (${error.message}). Check the connection and try again.`,
        { cause: error },
      );
    }
    await pause(retryMs * 2 ** this.#count++, this.#signal);
  }
}

/** @throws the signal's reason when aborted meanwhile. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
