// Where the bytes of a model file come from: an address with HTTP ranges, a Blob the user picked, or memory.
// A source only reads ranges; it knows nothing of GGUF and keeps no cache. (A Node file: `node-file.ts`.)
import { ModelFormatError } from '../errors';

/** A file of known size, read by ranges. */
export interface ByteSource {
  /** File name for messages, without its folder. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset` on. The result may share memory with the source: do not write to it.
   * @throws ModelFormatError when the range leaves the file or the file cannot be read;
   *   the signal's reason when aborted.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
}

/** Throws the ModelFormatError of a range that leaves the file; for implementations of `ByteSource.read`. */
export function checkRange(source: Pick<ByteSource, 'name' | 'size'>, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw new ModelFormatError(
    `${source.name}: bytes ${offset} to ${offset + length} were asked for, but the file has ${source.size}; it is cut short or damaged. Download it again.`,
  );
}

/** A source over bytes in memory; the bytes are not copied. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, name: string): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.length,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      checkRange(source, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/** A source over a Blob or File; nothing is read before it is asked for. */
export function blobSource(blob: Blob, name = blob instanceof File ? blob.name : 'blob'): ByteSource {
  const source: ByteSource = {
    name,
    size: blob.size,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      checkRange(source, offset, length);
      try {
        const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
        signal?.throwIfAborted();
        return bytes;
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        throw new ModelFormatError(
          `${name} can no longer be read (${messageOf(cause)}); it may have been moved or changed. Choose the file again.`,
          { cause },
        );
      }
    },
  };
  return source;
}

/**
 * A source over an address. One byte is asked for first, which tells the size and whether the server knows
 * ranges; where it does not, the whole file is fetched once and kept in memory.
 * @throws ModelFormatError when the file is not there, is empty or cannot be fetched.
 */
export async function urlSource(url: string | URL, signal?: AbortSignal): Promise<ByteSource> {
  const name = fileNameOf(url);
  const probe = await request(url, name, { headers: { Range: 'bytes=0-0' }, signal });
  if (probe.status !== 206) return bytesSource(await bodyOf(probe, name, signal), name);
  await probe.body?.cancel();
  // Content-Range is unreadable across origins unless the server exposes it; Content-Length always is readable.
  const size =
    countIn(probe.headers.get('content-range')?.match(/\/(\d+)$/)?.[1]) ??
    countIn((await request(url, name, { method: 'HEAD', signal })).headers.get('content-length'));
  if (size === undefined) {
    throw new ModelFormatError(
      `${name}: the server does not say how long the file is; it must send Content-Range or Content-Length.`,
    );
  }
  const source: ByteSource = {
    name,
    size,
    async read(offset, length, readSignal) {
      checkRange(source, offset, length);
      if (length === 0) return new Uint8Array(0);
      const range = `bytes=${offset}-${offset + length - 1}`;
      const response = await request(url, name, { headers: { Range: range }, signal: readSignal });
      if (response.status !== 206) {
        await response.body?.cancel();
        throw new ModelFormatError(`${name}: the server stopped serving ranges. Load the model again.`);
      }
      const bytes = await bodyOf(response, name, readSignal);
      if (bytes.length !== length) {
        throw new ModelFormatError(
          `${name}: the server sent ${bytes.length} of ${length} bytes at ${offset}. Load the model again.`,
        );
      }
      return bytes;
    },
  };
  return source;
}

async function request(url: string | URL, name: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    throw fetchFailure(name, cause, init.signal);
  }
  if (response.ok) return response;
  await response.body?.cancel();
  if (response.status === 416) throw new ModelFormatError(`${name} is empty at ${url}. Check the address.`);
  throw new ModelFormatError(
    response.status === 404
      ? `${name} was not found at ${url} (404). Check the address.`
      : `${name} could not be fetched: the server answered ${response.status} ${response.statusText} for ${url}.`,
  );
}

async function bodyOf(response: Response, name: string, signal?: AbortSignal) {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw fetchFailure(name, cause, signal);
  }
}

/** The reason of an abort as it is; any other failure as an error that names the file. */
function fetchFailure(name: string, cause: unknown, signal?: AbortSignal | null): unknown {
  if (signal?.aborted) return signal.reason;
  return new ModelFormatError(
    `${name} could not be fetched (${messageOf(cause)}). Check the connection, and that the server lets this page read the file (CORS).`,
    { cause },
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function countIn(text: string | null | undefined): number | undefined {
  return text && /^\d+$/.test(text) ? Number(text) : undefined;
}

function fileNameOf(url: string | URL): string {
  const path = String(url).replace(/[?#].*$/s, '');
  const last = path.slice(path.lastIndexOf('/') + 1) || path;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
