// Makes small GGUF files in memory, for tests: version 3, little-endian, alignment 32.
import { GGMLQuantizationType } from '@huggingface/gguf';
import type { TensorType } from '../tensor-types';

export type FixtureValue = string | number | boolean | readonly string[] | readonly number[];

export interface FixtureTensor {
  readonly name: string;
  /** Outermost dimension first. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  readonly data: Uint8Array;
}

/** Value types of the format that the fixture writes. */
const VALUE_TYPE = { int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** The bytes of a GGUF file. Whole numbers are written as int32, others as float32. */
export function ggufBytes(
  metadata: Readonly<Record<string, FixtureValue>>,
  tensors: readonly FixtureTensor[] = [],
): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const bytes = (data: Iterable<number>) => {
    for (const byte of data) out.push(byte);
  };
  const number = (size: number, write: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    bytes(new Uint8Array(view.buffer));
  };
  const u32 = (value: number) => number(4, (view) => view.setUint32(0, value, true));
  const u64 = (value: number) => number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  const text = (value: string) => {
    const encoded = new TextEncoder().encode(value);
    u64(encoded.length);
    bytes(encoded);
  };
  const typeOf = (value: string | number | boolean) => {
    if (typeof value === 'string') return VALUE_TYPE.string;
    if (typeof value === 'boolean') return VALUE_TYPE.bool;
    return Number.isInteger(value) ? VALUE_TYPE.int32 : VALUE_TYPE.float32;
  };
  const scalar = (value: string | number | boolean) => {
    if (typeof value === 'string') text(value);
    else if (typeof value === 'boolean') bytes([value ? 1 : 0]);
    else if (Number.isInteger(value)) number(4, (view) => view.setInt32(0, value, true));
    else number(4, (view) => view.setFloat32(0, value, true));
  };
  const pad = () => {
    while (out.length % 32) out.push(0);
  };

  bytes(new TextEncoder().encode('GGUF'));
  u32(3);
  u64(tensors.length);
  u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    text(key);
    if (typeof value !== 'object') {
      u32(typeOf(value));
      scalar(value);
      continue;
    }
    u32(VALUE_TYPE.array);
    u32(typeOf(value[0] ?? ''));
    u64(value.length);
    for (const item of value) scalar(item);
  }
  let offset = 0;
  for (const tensor of tensors) {
    text(tensor.name);
    u32(tensor.shape.length);
    for (const dimension of [...tensor.shape].reverse()) u64(dimension);
    u32(GGMLQuantizationType[tensor.type]);
    u64(offset);
    offset += Math.ceil(tensor.data.length / 32) * 32;
  }
  pad();
  for (const tensor of tensors) {
    bytes(tensor.data);
    pad();
  }
  return new Uint8Array(out);
}
