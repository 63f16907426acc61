// Random weights as they stand in a GGUF file, of any format.

import { blockOf } from '../../gguf/tensor-types';
import { tensorTypeOf, type WeightFormat } from '../../gguf/weight-format';
import { randomFloats } from './random-floats';

type BlockFormat = Exclude<WeightFormat, 'f32' | 'f16' | 'bf16'>;

/** Where the halves of a block stand, and the powers of two that keep its values below about 2. */
const HALVES: Record<BlockFormat, readonly (readonly [at: number, exponent: number])[]> = {
  q8_0: [[0, -7]],
  q4_0: [[0, -3]],
  q4_1: [
    [0, -5],
    [2, -1],
  ],
  q5_0: [[0, -4]],
  q5_1: [
    [0, -6],
    [2, -1],
  ],
  q4_k: [
    [0, -11],
    [2, -8],
  ],
  q5_k: [
    [0, -12],
    [2, -8],
  ],
  q6_k: [[208, -12]],
};

/**
 * The bytes of `count` elements, which are whole blocks: every bit of a block is random, scales within bounds.
 * @param exponent values are up to about 2 · 2^exponent; at least -2, for halves have no exponents for smaller ones.
 */
export function randomWeights(
  format: WeightFormat,
  count: number,
  seed: number,
  exponent = 0,
): Uint8Array<ArrayBuffer> {
  const { blockElements, blockBytes } = blockOf(tensorTypeOf(format));
  const floats = randomFloats(blockElements === 1 ? count : (count / blockElements) * blockBytes, seed + 1);
  const scaled = () => floats.map((value) => value * 2 ** exponent);
  switch (format) {
    case 'f32':
      return new Uint8Array(scaled().buffer);
    case 'bf16':
      return new Uint8Array(Uint16Array.from(new Uint32Array(scaled().buffer), (bits) => bits >>> 16).buffer);
    case 'f16':
      return new Uint8Array(Uint16Array.from(scaled(), halfBits).buffer);
  }
  const bytes = Uint8Array.from(floats, (value) => (value + 1) * 128);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < bytes.length; block += blockBytes) {
    for (const [at, largest] of HALVES[format]) {
      const signAndFraction = view.getUint16(block + at, true) & 0x83ff;
      view.setUint16(block + at, signAndFraction | ((largest + exponent + 15) << 10), true);
    }
  }
  return bytes;
}

/** Half-precision bits of a number in (-1, 1), cut; what is below 2^-14 becomes 0. */
export function halfBits(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent > 0 ? (exponent << 10) | ((bits >>> 13) & 0x3ff) : 0);
}
