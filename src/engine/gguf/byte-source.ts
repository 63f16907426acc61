// Where the bytes of a model file come from: a Blob, which the browser holds on disk, or memory.
// A source only reads ranges; it knows nothing of GGUF and keeps no cache. (A Node file: `node-file.ts`.)
import { ModelFormatError, messageOf } from '../errors';

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
