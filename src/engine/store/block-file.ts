// A file of known size of which some blocks are there and others not yet. Beside its data lies a record: for each
// block the SHA-256 it was written with, or zeros where it is missing, and one more, of the whole file, once that
// was found to be right. A block is recorded after it is written. Whatever a crash leaves behind is thus either
// missing or told by its hash, which is compared before a block is first used (`kept-source.ts`).
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { type Folder, type OpenFile, writeAt } from './folder';

/** Of every block but the last. What a killed tab loses is less than one for each connection. */
export const BLOCK_BYTES = 2 ** 20;

const HASH_BYTES = 32;
const RECORD_SUFFIX = '.blocks';

/** An open file; to be closed. */
export class BlockFile {
  readonly name: string;
  readonly size: number;
  /** How many there are when all are there. */
  readonly blocks: number;
  readonly #data: OpenFile;
  readonly #recordFile: OpenFile;
  readonly #record: Uint8Array<ArrayBuffer>;
  #isClosed = false;

  /**
   * Opens a file of a folder, made if need be. @throws StorageError when it is open elsewhere.
   * @param entry its name in the folder; `name` is for messages.
   */
  static async open(folder: Folder, entry: string, size: number, name = entry): Promise<BlockFile> {
    const data = await folder.open(entry);
    try {
      return new BlockFile(name, size, data, await folder.open(entry + RECORD_SUFFIX));
    } catch (error) {
      data.close();
      throw error;
    }
  }

  private constructor(name: string, size: number, data: OpenFile, recordFile: OpenFile) {
    this.name = name;
    this.size = size;
    this.blocks = blockCount(size);
    this.#data = data;
    this.#recordFile = recordFile;
    this.#record = new Uint8Array((this.blocks + 1) * HASH_BYTES);
    recordFile.read(this.#record, { at: 0 });
  }

  /** Whether a block was written. */
  has(block: number): boolean {
    return isSet(this.#hash(block));
  }

  /** Bytes of the blocks that were written. */
  get bytesHeld(): number {
    return bytesHeld(this.#record, this.size);
  }

  /** SHA-256 that a block was written with, in hex; zeros where it is missing. */
  hashOf(block: number): string {
    return bytesToHex(this.#hash(block));
  }

  /** SHA-256 of the whole file, in hex, as it was set since any of it was written or forgotten. */
  get digest(): string | null {
    return this.has(this.blocks) ? this.hashOf(this.blocks) : null;
  }

  set digest(hex: string) {
    this.#setHash(this.blocks, hexToBytes(hex));
  }

  /** First byte of a block, and of the one behind it. */
  range(block: number): { readonly start: number; readonly end: number } {
    const start = block * BLOCK_BYTES;
    return { start, end: Math.min(start + BLOCK_BYTES, this.size) };
  }

  /** The bytes of a range, whatever stands there. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.#assertOpen();
    const bytes = new Uint8Array(length);
    // A file that was cut short reads as zeros, which are not what was written.
    this.#data.read(bytes, { at: offset });
    return bytes;
  }

  /** Writes a whole block. @throws StorageError when there is no room. */
  async write(block: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const hash = await sha256(bytes);
    this.#assertOpen();
    writeAt(this.#data, this.name, bytes, this.range(block).start);
    this.#setHash(block, hash);
  }

  /** Whether a block reads as it was written. */
  async isSound(block: number): Promise<boolean> {
    const { start, end } = this.range(block);
    const found = await sha256(this.read(start, end - start));
    const written = this.#hash(block);
    return found.every((byte, i) => byte === written[i]);
  }

  /** Counts a block as missing from now on. */
  forget(block: number): void {
    this.#setHash(block, new Uint8Array(HASH_BYTES));
  }

  /** Drops every block. */
  clear(): void {
    this.#assertOpen();
    this.#record.fill(0);
    this.#recordFile.truncate(0);
    this.#data.truncate(0);
  }

  close(): void {
    this.#isClosed = true;
    for (const file of [this.#data, this.#recordFile]) {
      file.flush();
      file.close();
    }
  }

  #hash(block: number): Uint8Array<ArrayBuffer> {
    return hashIn(this.#record, block);
  }

  /** Once it is closed, the system may know another file by the same handle. */
  #assertOpen(): void {
    if (this.#isClosed) throw new DOMException(`${this.name} was closed.`, 'AbortError');
  }

  #setHash(block: number, hash: Uint8Array): void {
    this.#assertOpen();
    if (block < this.blocks && this.digest !== null) this.#setHash(this.blocks, new Uint8Array(HASH_BYTES));
    this.#hash(block).set(hash);
    writeAt(this.#recordFile, this.name, this.#hash(block), block * HASH_BYTES);
  }
}

/** What is there of a file of that size, also while it is open elsewhere. */
export async function heldOf(
  folder: Folder,
  entry: string,
  size: number,
): Promise<{ readonly bytes: number; readonly digest: string | null }> {
  const record = new Uint8Array((blockCount(size) + 1) * HASH_BYTES);
  record.set(((await folder.read(entry + RECORD_SUFFIX)) ?? new Uint8Array()).subarray(0, record.length));
  const whole = hashIn(record, blockCount(size));
  return {
    bytes: bytesHeld(record, size),
    digest: isSet(whole) ? bytesToHex(whole) : null,
  };
}

function blockCount(size: number): number {
  return Math.ceil(size / BLOCK_BYTES);
}

function hashIn(record: Uint8Array<ArrayBuffer>, block: number): Uint8Array<ArrayBuffer> {
  return record.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES);
}

/** Whether a hash stands there: no block's is all zeros. */
function isSet(hash: Uint8Array): boolean {
  return hash.some((byte) => byte !== 0);
}

function bytesHeld(record: Uint8Array<ArrayBuffer>, size: number): number {
  let bytes = 0;
  for (let block = 0; block < blockCount(size); block++) {
    if (isSet(hashIn(record, block))) {
      bytes += Math.min(BLOCK_BYTES, size - block * BLOCK_BYTES);
    }
  }
  return bytes;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}
