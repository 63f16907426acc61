// The kernels' layout of weights, byte for byte on blocks made by hand, and the values of golden blocks. That
// kernels read the layout right is shown in `gpu/linear.test.ts`.
import { describe, expect, it } from 'vitest';
import { bf16ToF32 } from './formats/floats';
import { f16ToF32 } from './formats/format';
import { blockOf } from './tensor-types';
import { goldenBlocks } from './testing/golden-blocks';
import {
  dequantise,
  repack,
  tensorTypeOf,
  WEIGHT_FORMATS,
  type WeightFormat,
  weightBytes,
  weightFormat,
} from './weight-format';

describe.each(WEIGHT_FORMATS)('golden blocks of %s', (format) => {
  const { raw, values } = goldenBlocks(format, true);
  const { blockElements, blockBytes } = blockOf(tensorTypeOf(format));

  it('have the values of the reference', () => {
    expect(dequantise(format, raw, 1, values.length)).toEqual(values);
  });

  it('take about as many bytes on the GPU', () => {
    const published = 5 * 256;
    const bytes = weightBytes(format, 7, published);
    const inFile = (7 * published * blockBytes) / blockElements;
    expect(bytes).toBeGreaterThanOrEqual(inFile);
    expect(bytes / inFile).toBeLessThan(1.03);
  });

  // Several rows, of a length that leaves sections to be filled up.
  const rows = 3;
  const cols = blockElements === 1 ? 20 : 5 * blockElements;
  const matrix = raw.subarray(0, (rows * cols * blockBytes) / blockElements);
  const words = repack(format, matrix, rows, cols);

  it('are laid out the same from bytes at an odd address', () => {
    const shifted = new Uint8Array(matrix.length + 1);
    shifted.set(matrix, 1);
    expect(repack(format, shifted.subarray(1), rows, cols)).toEqual(words);
    expect(dequantise(format, shifted.subarray(1), rows, cols)).toEqual(values.slice(0, rows * cols));
  });

  it('are laid out the same row by row', () => {
    expect(words.byteLength).toBe(weightBytes(format, rows, cols));
    const rowBytes = matrix.length / rows;
    const single = Array.from({ length: rows }, (_, row) =>
      repack(format, matrix.subarray(row * rowBytes, (row + 1) * rowBytes), 1, cols),
    );
    expect(single.flatMap((row) => [...row])).toEqual([...words]);
  });
});

/** Bytes of what a repacked row holds. */
function laidOut(format: WeightFormat, raw: Uint8Array<ArrayBuffer>, cols: number): Uint8Array {
  return new Uint8Array(repack(format, raw, 1, cols).buffer);
}

const counting = (count: number, first: number) => Uint8Array.from({ length: count }, (_, i) => first + i);

describe('a row', () => {
  it('of floats shares memory with the file', () => {
    const raw = new Uint8Array(48);
    expect(repack('bf16', raw, 2, 12).buffer).toBe(raw.buffer);
    expect(weightBytes('f16', 3, 20)).toBe(3 * 40);
  });

  it('of q8_0 has its bytes unsigned, then all scales', () => {
    const raw = new Uint8Array(68);
    raw.set([0x00, 0x3c, ...counting(32, -16)]);
    raw.set([0x00, 0xbc, ...counting(32, 96)], 34);
    const bytes = laidOut('q8_0', raw, 64);
    expect(bytes.subarray(0, 64)).toEqual(Uint8Array.from([...counting(32, 112), ...counting(32, 224)]));
    expect([...bytes.subarray(64)]).toEqual([0x00, 0x3c, 0x00, 0xbc, ...Array(12).fill(0)]);
  });

  it('of q4_1 has its nibbles as they stand in the file, then scales and minima', () => {
    const raw = new Uint8Array(40);
    raw.set([1, 2, 3, 4, ...counting(16, 10)]);
    raw.set([5, 6, 7, 8, ...counting(16, 40)], 20);
    const expected = [...counting(16, 10), ...counting(16, 40), ...counting(8, 1), ...Array(8).fill(0)];
    expect([...laidOut('q4_1', raw, 64)]).toEqual(expected);
  });

  it.each([
    [0, 0],
    [1, 8],
    [3, 24],
    [4, 1],
    [15, 27],
    [16, 4],
    [31, 31],
  ])('of q5_0 has the fifth bit of element %i at bit %i', (element, bit) => {
    const raw = new Uint8Array(22);
    new DataView(raw.buffer).setUint32(2, 2 ** element, true);
    expect(repack('q5_0', raw, 1, 32)[4]).toBe(2 ** bit);
  });

  it('of q4_k has the six bits of each run where one shift finds them', () => {
    // Scales 1, 2, 3, 4, 53, 54, 55, 56 and minima 9, 10, 11, 12, 37, 38, 39, 40, as ggml packs them.
    const raw = new Uint8Array(144);
    const low = [1, 2, 3, 4].map((scale) => scale | (3 << 6));
    const minima = [9, 10, 11, 12].map((minimum) => minimum | (2 << 6));
    const rest = [5, 6, 7, 8].map((bits) => bits | (bits << 4));
    raw.set([0xaa, 0xbb, 0xcc, 0xdd, ...low, ...minima, ...rest]);
    expect([...repack('q4_k', raw, 1, 256).subarray(32)]).toEqual([
      0xddccbbaa, 0x87654321, 0x8765cba9, 0xbbbb0000,
    ]);
  });
});

it('reads half-precision numbers of every kind', () => {
  const bits = [
    0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0x3555, 0xc000, 0x7bff, 0x7c00, 0xfc00, 0x7e00,
  ];
  const values = [
    0,
    -0,
    2 ** -24,
    1023 * 2 ** -24,
    2 ** -14,
    1,
    0.333251953125,
    -2,
    65504,
    Infinity,
    -Infinity,
    NaN,
  ];
  expect(bits.map(f16ToF32)).toEqual(values);
  expect([0x3f80, 0xc000, 0x7f80, 0x0001].map(bf16ToF32)).toEqual([1, -2, Infinity, 2 ** -133]);
});

it('names the tensor whose shape does not fit', () => {
  expect(() => weightBytes('f16', 2, 6, 'patch')).toThrow('"patch" has rows of 6 elements, but a f16 matrix');
  expect(() => weightBytes('q6_k', 2, 288, 'v')).toThrow('"v" has rows of 288 elements, but a q6_k matrix');
  expect(() => repack('q8_0', new Uint8Array(34), 1, 36, 'k')).toThrow('"k" has rows of 36');
  expect(() => repack('q8_0', new Uint8Array(33), 1, 32, 'k')).toThrow('"k" has 33 bytes');
  expect(() => dequantise('f32', new Uint8Array(15), 1, 4, 'b')).toThrow('"b" has 15 bytes');
});

it('has formats for the types it runs, and none for others', () => {
  expect(WEIGHT_FORMATS.map((format) => weightFormat(tensorTypeOf(format)))).toEqual(WEIGHT_FORMATS);
  expect((['Q2_K', 'Q3_K', 'Q8_K', 'Q8_1', 'IQ4_XS', 'TQ1_0', 'I32'] as const).map(weightFormat)).toEqual(
    Array(7).fill(undefined),
  );
});
