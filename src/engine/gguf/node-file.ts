// A byte source over a file on disk, for Node only: the command line, tests and benchmarks. The browser never loads it.
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelFormatError } from '../errors';
import { type ByteSource, checkRange } from './byte-source';

/**
 * A source over a file. The file is opened anew for each read, so there is nothing to close.
 * @throws ModelFormatError when there is no such file.
 */
export async function nodeFileSource(path: string): Promise<ByteSource> {
  const name = basename(path);
  const stats = await stat(path).catch((cause: unknown) => {
    throw new ModelFormatError(`${name} was not found at ${path}. Check the path.`, { cause });
  });
  if (!stats.isFile()) throw new ModelFormatError(`${path} is not a file. Give the path of a GGUF file.`);
  const source: ByteSource = {
    name,
    size: stats.size,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      checkRange(source, offset, length);
      const bytes = new Uint8Array(length);
      const file = await open(path);
      try {
        // The system may return fewer bytes than asked for, above all beyond 2 GiB.
        for (let done = 0; done < length; ) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) {
            throw new ModelFormatError(`${name} became shorter while it was read. Download it again.`);
          }
          done += bytesRead;
          signal?.throwIfAborted();
        }
      } finally {
        await file.close();
      }
      return bytes;
    },
  };
  return source;
}
