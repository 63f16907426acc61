// The kernels' layout of weights: bit for bit on blocks made by hand, and read back against `dequantise`.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  bf16ToF32,
  dequantise,
  f16ToF32,
  repack,
  repackRows,
  scaleOffsetWords,
  type WeightFormat,
  weightBytes,
  weightFormat,
} from './weight-format';

const FORMATS: readonly WeightFormat[] = ['f32', 'f16', 'bf16', 'q8_0', 'q4_0'];
const RAW_BYTES: Record<WeightFormat, number> = { f32: 4, f16: 2, bf16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };

/** Bytes of a random matrix, with finite scales and elements. */
function randomRaw(format: WeightFormat, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  let state = rows * 7919 + cols;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  const raw = Uint8Array.from({ length: rows * cols * RAW_BYTES[format] }, random);
  const view = new DataView(raw.buffer);
  const step = { f32: 4, f16: 2, bf16: 2, q8_0: 34, q4_0: 18 }[format];
  for (let at = 0; at < raw.length; at += step) {
    if (format === 'f32') view.setFloat32(at, random() / 16 - 8, true);
    else view.setUint16(at, view.getUint16(at, true) & 0xbbff, true);
  }
  return raw;
}

/** Element [row, col] read from the kernels' layout, exactly as a kernel reads it. */
function elementOf(
  words: Uint32Array,
  format: WeightFormat,
  rows: number,
  cols: number,
  row: number,
  col: number,
): number {
  const at = row * cols + col;
  if (format === 'f32') return new Float32Array(words.buffer, words.byteOffset)[at]!;
  if (format === 'f16' || format === 'bf16') {
    const bits = (words[at >> 1]! >>> ((at & 1) * 16)) & 0xffff;
    return format === 'f16' ? f16ToF32(bits) : bf16ToF32(bits);
  }
  const block = at >> 5;
  const scaleWord = words[scaleOffsetWords(format, rows, cols) + (block >> 1)]!;
  const scale = f16ToF32((scaleWord >>> ((block & 1) * 16)) & 0xffff);
  if (format === 'q8_0') return (((words[at >> 2]! >>> ((at & 3) * 8)) << 24) >> 24) * scale;
  return (((words[at >> 3]! >>> ((at & 7) * 4)) & 15) - 8) * scale;
}

const SHAPES = [
  [1, 32],
  [3, 32],
  [5, 96],
  [4, 64],
] as const;
const cases = FORMATS.flatMap((format) => SHAPES.map(([rows, cols]) => ({ format, rows, cols })));

describe.each(cases)('$format [$rows, $cols]', ({ format, rows, cols }) => {
  const raw = randomRaw(format, rows, cols);
  const words = repack(format, raw, rows, cols);

  it('holds every value where a kernel looks for it', () => {
    const values = Float32Array.from({ length: rows * cols }, (_, i) =>
      elementOf(words, format, rows, cols, Math.floor(i / cols), i % cols),
    );
    expect(values).toEqual(dequantise(format, raw, rows, cols));
    expect(values.every(Number.isFinite)).toBe(true);
    expect(words.byteLength).toBe(weightBytes(format, rows, cols));
  });

  it('is the same from bytes at an odd address', () => {
    const shifted = new Uint8Array(raw.length + 1);
    shifted.set(raw, 1);
    expect(repack(format, shifted.subarray(1), rows, cols)).toEqual(words);
  });

  it('is the same in pieces of rows', () => {
    const target = new Uint32Array(words.length);
    const rowBytes = raw.length / rows;
    for (let first = 0; first < rows; first += 2) {
      const count = Math.min(2, rows - first);
      const piece = raw.subarray(first * rowBytes, (first + count) * rowBytes);
      repackRows(target, rows, first, format, piece, count, cols);
    }
    expect(target).toEqual(words);
  });
});

describe.each(['F16', 'BF16', 'Q8_0', 'Q4_0'] as const)('golden blocks of %s', (type) => {
  const blocks = new URL('../../../reference/fixtures/blocks/', import.meta.url);
  const format = weightFormat(type)!;
  const raw = new Uint8Array(readFileSync(new URL(`${type}.bin`, blocks)));
  const count = raw.length / RAW_BYTES[format];
  // The values are the end of the .npy file, after its header.
  const golden = new Float32Array(
    new Uint8Array(readFileSync(new URL(`${type}.values.npy`, blocks))).slice(-4 * count).buffer,
  );

  it('have the values of the reference', () => {
    expect(dequantise(format, raw, 1, count)).toEqual(golden);
  });

  it('have them in the layout of the kernels', () => {
    const cols = count - (count % 4);
    const words = repack(format, raw.subarray(0, cols * RAW_BYTES[format]), 1, cols);
    const values = Float32Array.from({ length: cols }, (_, col) => elementOf(words, format, 1, cols, 0, col));
    expect(values).toEqual(golden.subarray(0, cols));
  });
});

it('lays a q8_0 block out in order, its scale behind the quants', () => {
  const raw = new Uint8Array(34);
  raw.set([0x00, 0x3c]); // 1.0
  for (let i = 0; i < 32; i++) raw[2 + i] = i - 16;
  const words = repack('q8_0', raw, 1, 32);
  expect(words[0]).toBe(0xf3f2f1f0);
  expect(words[7]).toBe(0x0f0e0d0c);
  expect(words[8]).toBe(0x00003c00);
  expect(words).toHaveLength(9);
});

it("lays a q4_0 block out in order, from llama.cpp's split nibbles", () => {
  const raw = new Uint8Array(36);
  raw.set([0x00, 0x40]); // 2.0
  for (let j = 0; j < 16; j++) raw[2 + j] = j | ((15 - j) << 4); // elements 0..15 rise, 16..31 fall
  raw.set([0x00, 0xbc], 18); // -1.0
  raw.fill(0x88, 20);
  const words = repack('q4_0', raw, 1, 64);
  expect([...words.subarray(0, 4)]).toEqual([0x76543210, 0xfedcba98, 0x89abcdef, 0x01234567]);
  expect(words[4]).toBe(0x88888888);
  expect(words[8]).toBe(0xbc004000);
  const values = dequantise('q4_0', raw, 1, 64);
  expect([values[0], values[15], values[16], values[31]]).toEqual([-16, 14, 14, -16]);
  expect(values.subarray(32).every((value) => value === 0)).toBe(true);
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

it('shares memory with raw floats, and pads the scales of an odd number of blocks', () => {
  const raw = new Uint8Array(16);
  expect(repack('f32', raw, 1, 4).buffer).toBe(raw.buffer);
  expect(weightBytes('q8_0', 3, 32)).toBe(3 * 32 + 8);
  expect(weightBytes('q4_0', 1, 32)).toBe(16 + 4);
});

it('names the tensor whose shape does not fit', () => {
  expect(() => weightBytes('f16', 2, 6, 'patch')).toThrow('"patch" has rows of 6 elements, but a f16 matrix');
  expect(() => repack('q8_0', new Uint8Array(34), 1, 36, 'k')).toThrow('"k" has rows of 36');
  expect(() => repack('q8_0', new Uint8Array(33), 1, 32, 'k')).toThrow('"k" has 33 bytes');
  expect(() => dequantise('f32', new Uint8Array(15), 1, 4, 'b')).toThrow('"b" has 15 bytes');
});
