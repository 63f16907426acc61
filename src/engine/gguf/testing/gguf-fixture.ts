// Makes GGUF files, for tests: version 3, little-endian, alignment 32. Small ones whole, in memory; of large ones the
// header, behind which the tensors are to be written one after the other.
import { GGMLQuantizationType } from '@huggingface/gguf';
import { blockOf, type TensorType } from '../tensor-types';

export type FixtureValue =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly number[]
  | readonly boolean[];

/** A tensor whose bytes are somewhere else. */
export interface FixtureEntry {
  readonly name: string;
  /** Outermost dimension first. */
  readonly shape: readonly number[];
  readonly type: TensorType;
}

export interface FixtureTensor extends FixtureEntry {
  readonly data: Uint8Array;
}

/** Value types of the format that the fixture writes. */
const VALUE_TYPE = { int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const ALIGNMENT = 32;

/** The bytes of a GGUF file. Whole numbers are written as int32, others as float32. */
export function ggufBytes(
  metadata: Readonly<Record<string, FixtureValue>>,
  tensors: readonly FixtureTensor[] = [],
): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  writeHeader(out, metadata, tensors, ({ data }) => data.length);
  for (const { data } of tensors) {
    out.bytes(data);
    out.align(ALIGNMENT);
  }
  return out.written();
}

/**
 * The header of a GGUF file, up to where its first tensor begins. Each tensor's bytes are to follow in the same order,
 * filled up to {@link paddedBytes}.
 */
export function ggufHeader(
  metadata: Readonly<Record<string, FixtureValue>>,
  tensors: readonly FixtureEntry[],
): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  writeHeader(out, metadata, tensors, tensorBytes);
  return out.written();
}

/** Bytes of a tensor in a file. */
export function tensorBytes({ shape, type }: FixtureEntry): number {
  const { blockElements, blockBytes } = blockOf(type);
  return (shape.reduce((product, size) => product * size, 1) / blockElements) * blockBytes;
}

/** Bytes from a tensor's start to where the next begins. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function writeHeader<Tensor extends FixtureEntry>(
  out: ByteWriter,
  metadata: Readonly<Record<string, FixtureValue>>,
  tensors: readonly Tensor[],
  bytesOf: (tensor: Tensor) => number,
): void {
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(3);
  out.u64(tensors.length);
  out.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    out.text(key);
    if (typeof value !== 'object') {
      out.u32(typeOf(value));
      writeValue(out, value);
      continue;
    }
    out.u32(VALUE_TYPE.array);
    out.u32(typeOf(value[0] ?? ''));
    out.u64(value.length);
    for (const item of value) writeValue(out, item);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.text(tensor.name);
    out.u32(tensor.shape.length);
    for (const dimension of [...tensor.shape].reverse()) out.u64(dimension);
    out.u32(GGMLQuantizationType[tensor.type]);
    out.u64(offset);
    offset += paddedBytes(bytesOf(tensor));
  }
  out.align(ALIGNMENT);
}

function typeOf(value: string | number | boolean): number {
  if (typeof value === 'string') return VALUE_TYPE.string;
  if (typeof value === 'boolean') return VALUE_TYPE.bool;
  return Number.isInteger(value) ? VALUE_TYPE.int32 : VALUE_TYPE.float32;
}

function writeValue(out: ByteWriter, value: string | number | boolean): void {
  if (typeof value === 'string') out.text(value);
  else if (typeof value === 'boolean') out.bytes([value ? 1 : 0]);
  else if (Number.isInteger(value)) out.i32(value);
  else out.f32(value);
}

/** Bytes that grow as they are written. */
class ByteWriter {
  #data = new Uint8Array(2 ** 16);
  #view = new DataView(this.#data.buffer);
  #length = 0;

  bytes(data: ArrayLike<number>): void {
    const at = this.#take(data.length);
    this.#data.set(data, at);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#view.setInt32(at, value, true);
  }

  f32(value: number): void {
    const at = this.#take(4);
    this.#view.setFloat32(at, value, true);
  }

  u64(value: number): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  text(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.u64(encoded.length);
    this.bytes(encoded);
  }

  align(alignment: number): void {
    this.#take(-this.#length & (alignment - 1));
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#data.slice(0, this.#length);
  }

  /** Where `bytes` more begin; they are zero. */
  #take(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#data.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#data);
      this.#data = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
