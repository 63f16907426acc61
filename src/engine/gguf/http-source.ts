// A byte source over HTTP, in the browser and in Node: ranges of one version of a file, any number of them at a time.
// A connection that breaks off or stalls is taken up again at the byte where it ended, a few times; what a server
// says of the file is checked in every answer. Servers that ignore ranges work too: what precedes is skipped.
import { DownloadError, type EngineError, FileChangedError, InvalidInputError } from '../errors';
import { type ByteSource, checkRange } from './byte-source';
import { Exchange, type HttpOptions, Interruption, Retries } from './http-exchange';

/** A file on a server. */
export interface HttpFile {
  readonly url: string;
  /** File name for messages. */
  readonly name: string;
  readonly size: number;
  /** The server's mark of this version, ETag or date; null where there is none to compare. */
  readonly tag: string | null;
  /** False where the server answers a range with the whole file, so that each costs all that stands before it. */
  readonly ranges: boolean;
}

/**
 * Asks a server what a file is. @throws DownloadError when it cannot be had, or its size is not told;
 *   InvalidInputError when the address is none.
 * @param name for messages; the last part of the address if left out.
 */
export async function findHttpFile(
  url: string,
  { name = fileName(url), ...options }: HttpOptions & { readonly name?: string } = {},
  signal?: AbortSignal,
): Promise<HttpFile> {
  const retries = new Retries(name, options, signal);
  for (;;) {
    try {
      return await look(url, name, options, signal);
    } catch (error) {
      await retries.after(error);
    }
  }
}

/** One try of `findHttpFile`; its connection is let go of before the next. */
async function look(
  url: string,
  name: string,
  options: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<HttpFile> {
  const exchange = new Exchange(url, options, signal);
  try {
    const response = await exchange.answer(0, 0);
    if (!response.ok) throw refusal(response, name);
    const size = sizeOf(response);
    if (size !== undefined) return { url, name, size, tag: tagOf(response), ranges: response.status === 206 };
    throw new DownloadError(
      `${name}: ${new URL(url).host} does not tell how long the file is, or keeps it from this page. Download the file yourself and open it from your disk.`,
    );
  } finally {
    exchange.end();
  }
}

/** One version of a file on a server. Nothing is asked before the first read. */
export class HttpSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly file: HttpFile;
  readonly #options: HttpOptions;

  constructor(file: HttpFile, options: HttpOptions = {}) {
    this.name = file.name;
    this.size = file.size;
    this.file = file;
    this.#options = options;
  }

  /** Errors as `stream`, and ModelFormatError for a range that leaves the file. */
  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    let done = 0;
    for await (const chunk of this.stream(offset, offset + length, signal)) {
      bytes.set(chunk, done);
      done += chunk.length;
    }
    return bytes;
  }

  /**
   * The bytes from `from` up to `to`, as they arrive and no faster than they are taken.
   * @throws DownloadError when the server refuses, or breaks off again and again; FileChangedError when it has
   *   another version of the file now; the signal's reason when aborted.
   */
  async *stream(from: number, to: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const retries = new Retries(this.name, this.#options, signal);
    for (let at = from; at < to; ) {
      try {
        for await (const chunk of this.#request(at, to, signal)) {
          at += chunk.length;
          retries.progress();
          yield chunk;
        }
      } catch (error) {
        await retries.after(error);
      }
    }
  }

  /** What one request brings, up to `to` and maybe less. */
  async *#request(from: number, to: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const exchange = new Exchange(this.file.url, this.#options, signal);
    try {
      let skip = this.#check(await exchange.answer(from, to - 1), from);
      for (let at = from; at < to; ) {
        const chunk = await exchange.chunk();
        const start = Math.min(skip, chunk.length);
        const bytes = chunk.subarray(start, start + to - at);
        skip -= start;
        at += bytes.length;
        if (bytes.length > 0) yield bytes;
      }
    } finally {
      exchange.end();
    }
  }

  /** Checks that an answer is of this version of the file. @returns how many of its bytes stand before `from`. */
  #check(response: Response, from: number): number {
    const { url, name, size, tag } = this.file;
    const told = sizeOf(response);
    const found = tagOf(response);
    const usable = response.ok || response.status === 416;
    if (usable && ((tag && found && tag !== found) || (told !== undefined && told !== size))) {
      throw new FileChangedError(
        `${name} was replaced on the server while it was downloaded. Load the model again to get the new one.`,
      );
    }
    if (!response.ok) throw refusal(response, name);
    if (response.status !== 206) return from;
    // A server on another site may keep from us which bytes it sends; then they are those asked for.
    const start = contentRange(response)?.start ?? from;
    if (start === from) return 0;
    throw new DownloadError(
      `${name}: ${new URL(url).host} sends the bytes from ${start} on where ${from} were asked for. Download the file elsewhere.`,
    );
  }
}

/** The last part of an address's path. @throws InvalidInputError when it is no address. */
export function fileName(url: string): string {
  if (!URL.canParse(url)) {
    throw new InvalidInputError(`“${url}” is not an address; give it in full, with https:// before it.`);
  }
  const { pathname, host } = new URL(url);
  const last = pathname.split('/').at(-1) || host;
  try {
    return decodeURIComponent(last);
  } catch {
    // A percent sign that stands for itself.
    return last;
  }
}

/** Why there is no file in an answer; an Interruption if there may be one the next time. */
function refusal({ status }: Response, name: string): EngineError | Interruption {
  if (status >= 500 || status === 408 || status === 429) {
    return new Interruption(`the server answered ${status}`);
  }
  const wayOut =
    status === 401 || status === 403
      ? 'It may be open to people who signed in only: download it in your browser and open it from your disk.'
      : 'Check the address, or choose another model.';
  return new DownloadError(`${name} could not be downloaded: the server answered ${status}. ${wayOut}`);
}

/** Size of the whole file, as far as an answer tells. */
function sizeOf(response: Response): number | undefined {
  if (response.status !== 200) return contentRange(response)?.size;
  // A compressed answer tells its compressed length.
  if (response.headers.has('content-encoding')) return undefined;
  const length = response.headers.get('content-length');
  return length === null ? undefined : Number(length);
}

// Of the form `bytes 5-9/100`; a star stands for what is not known.
function contentRange({ headers }: Response): { start?: number; size?: number } | undefined {
  const [, start, size] = headers.get('content-range')?.match(/^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/) ?? [];
  if (size === undefined) return undefined;
  return { start: start ? Number(start) : undefined, size: size === '*' ? undefined : Number(size) };
}

function tagOf({ headers }: Response): string | null {
  return headers.get('etag') ?? headers.get('last-modified');
}
