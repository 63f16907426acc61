// The header of a GGUF file, read in growing pieces: magic, counts, metadata, tensor list. Little-endian
// versions 2 and 3, as https://github.com/ggml-org/ggml/blob/master/docs/gguf.md defines them. Nothing the
// file claims is believed beyond its size, so a damaged one costs no more than reading it.
import { ModelFormatError } from '../errors';
import type { ByteSource } from './byte-source';
import type { MetadataValue } from './metadata';

/** An entry of the tensor list as it stands in the file. */
export interface TensorEntry {
  readonly name: string;
  /** Innermost dimension first. */
  readonly dimensions: readonly number[];
  /** Number of the type: `tensor-types.ts`. */
  readonly type: number;
  /** From the start of the tensor data. */
  readonly offset: number;
}

export interface Header {
  readonly version: number;
  /** In the order of the file, as are the tensors. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: readonly TensorEntry[];
  /** Where the header ends; tensor data begins at the next multiple of the alignment. */
  readonly byteLength: number;
}

/** The first piece; each further one doubles what was read. Most vocabularies take some 6 MB. */
const FIRST_PIECE_BYTES = 2 ** 20;
/** Several times the header of the largest vocabularies published. */
const MAX_HEADER_BYTES = 2 ** 26;
const PREAMBLE_BYTES = 24;
/** The shortest key and value (an empty key, its type, one byte), and the shortest tensor entry. */
const MIN_VALUE_BYTES = 13;
const MIN_TENSOR_BYTES = 24;
/** Most dimensions of a tensor in ggml. */
const MAX_DIMENSIONS = 4;
/** Lists of lists occur, deeper ones have never been seen. */
const MAX_LIST_DEPTH = 4;
/** Of a text or list. */
const LENGTH_BYTES = 8;
const STRING = 8;
const LIST = 9;

/**
 * Reads the header and no tensor data.
 * @throws ModelFormatError when the file is not GGUF, or its header is damaged or cut short.
 */
export async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<Header> {
  const first = await source.read(0, Math.min(FIRST_PIECE_BYTES, source.size), signal);
  const { version, valueCount, tensorCount } = readPreamble(source, first);
  const reader = new Reader(source, first, signal);
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < valueCount; i++) {
    const [key, value] = await reader.whole(() => [reader.text('a key'), reader.value()] as const);
    if (metadata.has(key)) throw damaged(source, `metadata "${key.slice(0, 80)}" is listed twice`);
    metadata.set(key, value);
  }
  const tensors: TensorEntry[] = [];
  for (let i = 0; i < tensorCount; i++) tensors.push(await reader.whole(() => reader.tensor()));
  return { version, metadata, tensors, byteLength: reader.at };
}

/** The file is shorter than its header says. */
export function cutShort(source: ByteSource, what: string): ModelFormatError {
  return new ModelFormatError(
    `${source.name} is cut short at ${source.size} bytes: ${what}. Download it again.`,
  );
}

/** The file says what cannot be. */
export function damaged(source: ByteSource, what: string): ModelFormatError {
  return new ModelFormatError(`${source.name} is damaged: ${what}. Download it again.`);
}

/** Magic, version, and counts that can be true of a file of this size. */
function readPreamble(source: ByteSource, bytes: Uint8Array<ArrayBuffer>) {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, PREAMBLE_BYTES));
  if (!start.startsWith('GGUF')) {
    throw new ModelFormatError(`${source.name} is not a GGUF file: ${whatItIs(start)}`);
  }
  if (bytes.length < PREAMBLE_BYTES) throw cutShort(source, 'its header is incomplete');
  const view = viewOf(bytes);
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3) {
    const found = version & 0xffff ? `of GGUF version ${version}` : 'written for big-endian machines';
    throw new ModelFormatError(
      `${source.name} is ${found}; this engine reads versions 2 and 3, little-endian. Download a current file of the model.`,
    );
  }
  const tensorCount = Number(view.getBigUint64(8, true));
  const valueCount = Number(view.getBigUint64(16, true));
  if (PREAMBLE_BYTES + tensorCount * MIN_TENSOR_BYTES + valueCount * MIN_VALUE_BYTES > source.size) {
    throw cutShort(source, `${tensorCount} tensors and ${valueCount} values do not fit in that`);
  }
  return { version, tensorCount, valueCount };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function whatItIs(start: string): string {
  if (start === '') return 'it is empty. Download it again.';
  if (start.trimStart().startsWith('<')) return 'it is a web page. Check the address it was loaded from.';
  if (start.startsWith('version https://git-lfs')) {
    return 'it is a Git LFS pointer, not the model itself. Download the file behind it.';
  }
  return 'it does not begin with the letters GGUF. Choose a file that ends in .gguf.';
}

/** Thrown inside `Reader.whole` where the bytes read so far end before `end`. */
class MoreBytes {
  readonly end: number;
  constructor(end: number) {
    this.end = end;
  }
}

/** Values of fixed size by their number in the file. */
const SCALARS: Readonly<
  Record<number, readonly [bytes: number, read: (view: DataView, at: number) => MetadataValue]>
> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at) !== 0],
  10: [8, (view, at) => view.getBigUint64(at, true)],
  11: [8, (view, at) => view.getBigInt64(at, true)],
  12: [8, (view, at) => view.getFloat64(at, true)],
};

/** Reads one thing after another from `at` on; `whole` sees to it that the bytes are there. */
class Reader {
  at = PREAMBLE_BYTES;
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  // A byte order mark at the start of a token is part of it.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;

  /** @param first the first bytes of the file, past the preamble or all of it. */
  constructor(source: ByteSource, first: Uint8Array<ArrayBuffer>, signal?: AbortSignal) {
    this.#source = source;
    this.#bytes = first;
    this.#view = viewOf(first);
    this.#signal = signal;
  }

  /** What `read` returns, called again from the same place after reading more where bytes are missing. */
  async whole<T>(read: () => T): Promise<T> {
    for (const start = this.at; ; this.at = start) {
      try {
        return read();
      } catch (short) {
        if (!(short instanceof MoreBytes)) throw short;
        await this.#readUntil(short.end);
      }
    }
  }

  async #readUntil(end: number): Promise<void> {
    const have = this.#bytes.length;
    const size = Math.min(Math.max(end, 2 * have), this.#source.size);
    const piece = await this.#source.read(have, size - have, this.#signal);
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes);
    bytes.set(piece, have);
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Moves past `count` items of at least `bytes` each, all of them read, and returns where they begin. */
  #take(bytes: number, count: number, what: string): number {
    const start = this.at;
    const end = start + bytes * count;
    if (end > MAX_HEADER_BYTES) throw this.#unreadable(`${what} of length ${count}`);
    if (end > this.#source.size) throw cutShort(this.#source, 'its header is incomplete');
    if (end > this.#bytes.length) throw new MoreBytes(end);
    this.at = end;
    return start;
  }

  #unreadable(what: string): ModelFormatError {
    return damaged(this.#source, `its header cannot be read (${what} at byte ${this.at})`);
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4, 1, 'a number'), true);
  }

  /** Rounded above 2^53, which no length, count or offset of a sound file reaches. */
  #u64(): number {
    const start = this.#take(8, 1, 'a number');
    return this.#view.getUint32(start, true) + this.#view.getUint32(start + 4, true) * 2 ** 32;
  }

  text(what = 'a text'): string {
    const length = this.#u64();
    const start = this.#take(1, length, what);
    return this.#decoder.decode(this.#bytes.subarray(start, start + length));
  }

  value(): MetadataValue {
    return this.#valueOf(this.#u32(), 0);
  }

  #valueOf(type: number, depth: number): MetadataValue {
    if (type === STRING) return this.text();
    if (type === LIST && depth < MAX_LIST_DEPTH) return this.#list(depth + 1);
    const scalar = SCALARS[type];
    if (!scalar) throw this.#unreadable(type === LIST ? 'lists too deep' : `a value of unknown type ${type}`);
    return scalar[1](this.#view, this.#take(scalar[0], 1, 'a value'));
  }

  #list(depth: number): MetadataValue[] {
    const type = this.#u32();
    const count = this.#u64();
    const leastBytes = type === STRING || type === LIST ? LENGTH_BYTES : SCALARS[type]?.[0];
    if (!leastBytes) throw this.#unreadable(`a list of unknown type ${type}`);
    // All its bytes, or at least the length of each text or list, before an item is kept.
    this.at = this.#take(leastBytes, count, 'a list');
    const items: MetadataValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.#valueOf(type, depth));
    return items;
  }

  tensor(): TensorEntry {
    const name = this.text('the name of a tensor');
    const rank = this.#u32();
    if (rank > MAX_DIMENSIONS) throw this.#unreadable(`tensor "${name.slice(0, 80)}" of ${rank} dimensions`);
    const dimensions = Array.from({ length: rank }, () => this.#u64());
    return { name, dimensions, type: this.#u32(), offset: this.#u64() };
  }
}
