// A file that is kept here block by block and fetched where it is not: to its reader one file, wherever its bytes
// come from. What is read and missing is fetched at once; `completeAll` brings the rest meanwhile, in the order of
// the file, over several connections. Every block is checked against the hash it was written with before its first
// use, and the whole against the published hash, where there is one, as it arrives.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { DownloadError, StorageError } from '../errors';
import { type ByteSource, checkRange } from '../gguf/byte-source';
import type { HttpSource } from '../gguf/http-source';
import { BLOCK_BYTES, type BlockFile } from './block-file';

/** Most blocks that one request asks for. */
const RUN_BLOCKS = 8;
/** Requests at a time. More gain little, and each holds a block in memory. */
const CONNECTIONS = 4;

/** See above. Its file is closed by whoever opened it. */
export class KeptSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #file: BlockFile;
  readonly #http: HttpSource;
  readonly #publishedHash: string | null;
  readonly #signal: AbortSignal;
  /** Blocks on their way, each with what is settled once it is written. */
  readonly #underWay = new Map<number, Promise<void>>();
  /** Blocks known to read as they were written. */
  readonly #sound = new Set<number>();
  /** Of blocks of which not all has arrived. */
  #partialBytes = 0;

  /**
   * @param publishedHash SHA-256 of the whole file in hex, where it is known.
   * @param signal ends what is under way; what has been written stays.
   */
  constructor(file: BlockFile, http: HttpSource, publishedHash: string | null, signal: AbortSignal) {
    this.name = file.name;
    this.size = file.size;
    this.#file = file;
    this.#http = http;
    this.#publishedHash = publishedHash;
    this.#signal = signal;
  }

  /** Bytes that have arrived, now or earlier. */
  get bytesHere(): number {
    return Math.min(this.size, this.#file.bytesHeld + this.#partialBytes);
  }

  /** Whether all of it is here and, where a hash was published, was found to have that hash. */
  get isComplete(): boolean {
    const { bytesHeld, digest } = this.#file;
    return bytesHeld === this.size && (this.#publishedHash === null || digest === this.#publishedHash);
  }

  /**
   * @throws DownloadError and FileChangedError as `HttpSource.stream`; StorageError when there is no room for what
   *   arrives, or a damaged block cannot be fetched again.
   */
  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    // At the end of the file there is no block to read nothing from.
    if (length === 0) return new Uint8Array();
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    for (let block = Math.floor(offset / BLOCK_BYTES); block <= last; block++) {
      signal?.throwIfAborted();
      await this.#provide(block, last);
    }
    return this.#file.read(offset, length);
  }

  /** Begins to fetch the next blocks that are missing. @returns when they are written; null if none is missing. */
  fetchNext(): Promise<void> | null {
    for (let block = 0; block < this.#file.blocks; block++) {
      if (this.#isMissing(block)) return this.#fetch(block, block + RUN_BLOCKS - 1);
    }
    return null;
  }

  /**
   * Brings all of the file here, whatever of it is missing or damaged. Errors as `read`, and:
   * @throws DownloadError when the whole does not have its published hash; then nothing of it is kept.
   */
  async complete(): Promise<void> {
    const hash = this.#publishedHash === null ? null : sha256.create();
    for (let block = 0; block < this.#file.blocks; block++) {
      await this.#provide(block, block + RUN_BLOCKS - 1);
      this.#signal.throwIfAborted();
      const { start, end } = this.#file.range(block);
      hash?.update(this.#file.read(start, end - start));
    }
    if (!hash) return;
    const found = bytesToHex(hash.digest());
    if (found === this.#publishedHash) {
      this.#file.digest = found;
      return;
    }
    this.#file.clear();
    this.#sound.clear();
    throw new DownloadError(
      `${this.name} is not the file that was published: its SHA-256 is ${found}, not ${this.#publishedHash}. What arrived was deleted. Load the model again, or get it from another place.`,
    );
  }

  /** Sees to it that a block is here and sound. Where it is missing, those up to `last` are asked for with it. */
  async #provide(block: number, last: number): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#file.has(block)) {
      if (!this.#sound.has(block)) await this.#check(block);
      return;
    }
    if (!this.#underWay.has(block)) this.#fetch(block, last).catch(() => {});
    await this.#underWay.get(block);
  }

  /** Compares a block with the hash it was written with and fetches it again if it is damaged. */
  async #check(block: number): Promise<void> {
    if (!(await this.#file.isSound(block))) await this.#mend(block);
    this.#sound.add(block);
  }

  async #mend(block: number): Promise<void> {
    const { digest } = this.#file;
    const hash = this.#file.hashOf(block);
    this.#file.forget(block);
    try {
      await this.#provide(block, block);
    } catch (cause) {
      if (!(cause instanceof DownloadError)) throw cause;
      const { start, end } = this.#file.range(block);
      throw new StorageError(
        `${this.name} is damaged on this device from byte ${start} to ${end}, and that part could not be fetched again. Connect to the network and load the model once more: only the damaged part is fetched.`,
        { cause },
      );
    }
    // The whole is what it was.
    if (digest !== null && this.#file.hashOf(block) === hash) this.#file.digest = digest;
  }

  #isMissing(block: number): boolean {
    return !this.#file.has(block) && !this.#underWay.has(block);
  }

  /** Fetches blocks from `first` up to `last` or the next that is not missing. @returns when they are written. */
  #fetch(first: number, last: number): Promise<void> {
    const { blocks } = this.#file;
    let end = first;
    if (this.#http.file.ranges) {
      while (end < blocks && end <= last && this.#isMissing(end)) end++;
    } else {
      // The server sends all of the file or nothing, so one answer is to bring all that is missing.
      for (let block = first; block < blocks; block++) if (this.#isMissing(block)) end = block + 1;
    }
    const arriving = this.#arriving(first, end);
    let all: Promise<void> = Promise.resolve();
    for (let block = first; block < end; block++) {
      const isMissing = this.#isMissing(block);
      all = all.then(async () => {
        const bytes = await arriving.next();
        if (isMissing) await this.#file.write(block, bytes.value!);
      });
      if (!isMissing) continue;
      all = all.finally(() => this.#underWay.delete(block));
      this.#underWay.set(block, all);
      // Nobody may be waiting for it: whoever does is told.
      all.catch(() => {});
    }
    return all.finally(() => arriving.return(undefined));
  }

  /** The blocks from `first` up to `end` as they arrive. Each is to be written before the next is asked for. */
  async *#arriving(first: number, end: number): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
    let filled = 0;
    try {
      let block = first;
      let bytes = this.#emptyBlock(block);
      const stop = this.#file.range(end - 1).end;
      for await (const chunk of this.#http.stream(this.#file.range(first).start, stop, this.#signal)) {
        for (let at = 0; at < chunk.length; ) {
          const part = chunk.subarray(at, at + bytes.length - filled);
          bytes.set(part, filled);
          at += part.length;
          filled += part.length;
          this.#partialBytes += part.length;
          if (filled < bytes.length) continue;
          yield bytes;
          this.#partialBytes -= filled;
          filled = 0;
          if (++block < end) bytes = this.#emptyBlock(block);
        }
      }
    } finally {
      this.#partialBytes -= filled;
    }
  }

  #emptyBlock(block: number): Uint8Array<ArrayBuffer> {
    const { start, end } = this.#file.range(block);
    return new Uint8Array(end - start);
  }
}

/**
 * Brings all of these files here, one after the other, over several connections. Errors as `KeptSource.complete`;
 * what is then still under way ends with the sources' signal.
 */
export async function completeAll(sources: readonly KeptSource[]): Promise<void> {
  const missing = sources.filter((source) => !source.isComplete);
  const fetchAll = async () => {
    for (const source of missing) {
      for (let run = source.fetchNext(); run; run = source.fetchNext()) await run;
    }
  };
  // The first, which also hashes, fetches what it does not find under way.
  const first = async () => {
    for (const source of missing) await source.complete();
  };
  await Promise.all([first(), ...Array.from({ length: CONNECTIONS - 1 }, fetchAll)]);
}
