// Writes a GGUF file of random weights, however large, with a few megabytes in memory.

import { type FileHandle, open } from 'node:fs/promises';
import { blockOf, type TensorType } from '../../src/engine/gguf/tensor-types';
import { ggufHeader, paddedBytes, tensorBytes } from '../../src/engine/gguf/testing/gguf-fixture';
import { weightFormat } from '../../src/engine/gguf/weight-format';
import { randomWeights } from '../../src/engine/gpu/testing/random-weights';
import type { FileOutline } from './model-files';

/** Random blocks of a type, by the elements of one; tensors repeat them. Primes, so that rows differ. */
const BLOCKS = { 1: 1_999_993, 32: 65_521, 256: 8_191 } as Readonly<Record<number, number>>;

/** Weights are up to half: through dozens of layers, activations stay within a few powers of ten. */
const EXPONENT = -2;

/** From where in the pool one tensor begins to where the next does, in blocks. */
const STRIDE = 1_009;

export async function writeRandomFile(path: string, { metadata, tensors }: FileOutline): Promise<void> {
  const pools = new Map<TensorType, Uint8Array>();
  const file = await open(path, 'w');
  try {
    await file.writeFile(ggufHeader(metadata, tensors));
    for (const [index, tensor] of tensors.entries()) {
      const { type } = tensor;
      const pool = pools.get(type) ?? randomPool(type);
      pools.set(type, pool);
      const bytes = tensorBytes(tensor);
      const start = (index * STRIDE * blockOf(type).blockBytes) % pool.length;
      await writeRepeated(file, pool, start, bytes);
      const padding = paddedBytes(bytes) - bytes;
      if (padding > 0) await file.writeFile(new Uint8Array(padding));
    }
  } finally {
    await file.close();
  }
}

function randomPool(type: TensorType): Uint8Array {
  const { blockElements } = blockOf(type);
  const count = BLOCKS[blockElements]! * blockElements;
  return randomWeights(weightFormat(type)!, count, 1, EXPONENT);
}

async function writeRepeated(
  file: FileHandle,
  pool: Uint8Array,
  start: number,
  bytes: number,
): Promise<void> {
  for (let done = 0, at = start; done < bytes; at = 0) {
    const piece = pool.subarray(at, at + bytes - done);
    await file.writeFile(piece);
    done += piece.length;
  }
}
