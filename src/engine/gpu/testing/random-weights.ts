// Random weights as they stand in a GGUF file, for kernel tests: values of about unit size over any row.

import type { WeightFormat } from '../../gguf/weight-format';
import { randomFloats } from './harness';

/** Half-precision bits of a small positive scale, 2^-7 · (1 + fraction). */
const SCALE_BITS = 0x2000;

/** The bytes of `count` elements; a multiple of 32 for block formats. */
export function randomWeights(format: WeightFormat, count: number, seed: number): Uint8Array<ArrayBuffer> {
  const floats = randomFloats(count, seed + 1);
  switch (format) {
    case 'f32':
      return new Uint8Array(floats.buffer as ArrayBuffer);
    case 'bf16':
      return new Uint8Array(Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16).buffer);
    case 'f16':
      return new Uint8Array(Uint16Array.from(floats, halfBits).buffer);
    case 'q8_0':
      return blocks(floats, 34, (bytes, values) => {
        for (let i = 0; i < 32; i++) bytes[2 + i] = Math.round(values[i]! * 127);
      });
    case 'q4_0':
      return blocks(floats, 18, (bytes, values) => {
        for (let i = 0; i < 16; i++) bytes[2 + i] = nibble(values[i]!) | (nibble(values[i + 16]!) << 4);
      });
  }
}

function nibble(value: number): number {
  return Math.min(15, Math.floor((value + 1) * 8));
}

/** Half-precision bits of a number in (-1, 1), cut; what is below 2^-14 becomes 0. */
export function halfBits(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const exponent = ((bits >>> 23) & 255) - 112;
  return ((bits >>> 16) & 0x8000) | (exponent > 0 ? (exponent << 10) | ((bits >>> 13) & 0x3ff) : 0);
}

function blocks(
  floats: Float32Array,
  blockBytes: number,
  fill: (bytes: Uint8Array, values: Float32Array) => void,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((floats.length / 32) * blockBytes);
  for (let block = 0; block < floats.length / 32; block++) {
    const at = bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
    // Scales that differ from block to block, so that a scale of the wrong block shows.
    new DataView(at.buffer, at.byteOffset).setUint16(0, SCALE_BITS + ((block * 37) % 512), true);
    fill(at, floats.subarray(block * 32, block * 32 + 32));
  }
  return bytes;
}
