// From a tensor's bytes in a GGUF file to the array<u32> our kernels read: the quants region first, row by
// row, then the scales region. Blocks stay quantised; nothing here rounds. Little-endian, like WebGPU itself.
//
//   format  quants: words a row, what lies in them                      scales
//   f32     cols      one element                                       none
//   f16     cols / 2  element 2i in the low half                        none
//   bf16    cols / 2  element 2i in the low half                        none
//   q8_0    cols / 4  element 4i + b in byte b, signed                  one f16 for 32 elements, row-major over
//   q4_0    cols / 8  element 8i + n in bits 4n..4n+3, plus 8           all blocks, the even block in the low half
import { ModelFormatError } from '../errors';
import type { TensorType } from './tensor-types';

export type WeightFormat = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_0';

/** The tensor types the engine runs; any other must be downloaded in another quantisation. */
const FORMATS: Partial<Record<TensorType, WeightFormat>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  Q8_0: 'q8_0',
  Q4_0: 'q4_0',
};

/** Elements a block shares one scale over; 1 where there are no scales. */
const BLOCK_ELEMENTS: Record<WeightFormat, number> = { f32: 1, f16: 1, bf16: 1, q8_0: 32, q4_0: 32 };
/** Bytes of a block in the file. */
const BLOCK_BYTES: Record<WeightFormat, number> = { f32: 4, f16: 2, bf16: 2, q8_0: 34, q4_0: 18 };
/** Elements in one word of the quants region. */
const ELEMENTS_A_WORD: Record<WeightFormat, number> = { f32: 1, f16: 2, bf16: 2, q8_0: 4, q4_0: 8 };

/** The weight format of a tensor type, or undefined where the engine has none. */
export function weightFormat(type: TensorType): WeightFormat | undefined {
  return FORMATS[type];
}

/**
 * Bytes of a [rows, cols] matrix on the GPU, a multiple of 4.
 * @param name the tensor, for the error's message.
 * @throws ModelFormatError where cols is not a multiple of 4, or of 32 in a quantised format.
 */
export function weightBytes(format: WeightFormat, rows: number, cols: number, name = 'matrix'): number {
  const blocks = hasScales(format) ? (rows * cols) / BLOCK_ELEMENTS[format] : 0;
  return (scaleOffsetWords(format, rows, cols, name) + Math.ceil(blocks / 2)) * 4;
}

/** Word at which the scales region of a [rows, cols] matrix begins; its end where the format has no scales. */
export function scaleOffsetWords(format: WeightFormat, rows: number, cols: number, name = 'matrix'): number {
  const multiple = Math.max(4, BLOCK_ELEMENTS[format]);
  if (cols % multiple !== 0) {
    throw new ModelFormatError(
      `"${name}" has rows of ${cols} elements, but a ${format} matrix needs a multiple of ${multiple}.`,
    );
  }
  return (rows * cols) / ELEMENTS_A_WORD[format];
}

/**
 * A whole [rows, cols] matrix (or a range of rows as a matrix of its own) in the kernels' layout. `raw` holds
 * exactly those rows as they stand in the file; matrices of one format and width join by joining their bytes.
 * The result of f32, f16 and bf16 shares memory with `raw` where that is aligned to 4 bytes.
 * @throws ModelFormatError where the shape does not fit the format or the length of `raw`.
 */
export function repack(
  format: WeightFormat,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  name = 'matrix',
): Uint32Array<ArrayBuffer> {
  const words = weightBytes(format, rows, cols, name) / 4;
  if (!hasScales(format) && raw.byteOffset % 4 === 0) {
    checkLength(format, raw, rows, cols, name);
    return new Uint32Array(raw.buffer, raw.byteOffset, words);
  }
  const target = new Uint32Array(words);
  repackRows(target, rows, 0, format, raw, rows, cols, name);
  return target;
}

/**
 * Writes rows `firstRow .. firstRow + rows` of a [totalRows, cols] matrix into `target`, which holds that
 * whole matrix in the kernels' layout: for matrices read in pieces, or put together of several tensors.
 * @param raw exactly those rows as they stand in the file.
 * @throws ModelFormatError where the shape does not fit the format or the length of `raw`.
 */
export function repackRows(
  target: Uint32Array<ArrayBuffer>,
  totalRows: number,
  firstRow: number,
  format: WeightFormat,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  name = 'matrix',
): void {
  checkLength(format, raw, rows, cols, name);
  const firstWord = scaleOffsetWords(format, firstRow, cols, name);
  if (!hasScales(format)) {
    new Uint8Array(target.buffer, target.byteOffset + firstWord * 4, raw.length).set(raw);
    return;
  }
  const scaleWord = scaleOffsetWords(format, totalRows, cols, name);
  const scales = new Uint16Array(target.buffer, target.byteOffset + scaleWord * 4);
  const firstBlock = (firstRow * cols) / BLOCK_ELEMENTS[format];
  const layBlocks = format === 'q8_0' ? layQ8Blocks : layQ4Blocks;
  layBlocks(halvesOf(raw), target.subarray(firstWord), scales.subarray(firstBlock));
}

/**
 * The values of a [rows, cols] matrix, row-major: the plain reference of what kernels compute with, and the
 * way small tensors (norms, biases) are loaded.
 * @throws ModelFormatError where the shape does not fit the length of `raw`.
 */
export function dequantise(
  format: WeightFormat,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  name = 'matrix',
): Float32Array<ArrayBuffer> {
  checkLength(format, raw, rows, cols, name);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const values = new Float32Array(rows * cols);
  const elements = BLOCK_ELEMENTS[format];
  for (let i = 0; i < values.length; i++) {
    const block = Math.floor(i / elements) * BLOCK_BYTES[format];
    const within = i % elements;
    if (format === 'f32') values[i] = view.getFloat32(block, true);
    else if (format === 'f16') values[i] = f16ToF32(view.getUint16(block, true));
    else if (format === 'bf16') values[i] = bf16ToF32(view.getUint16(block, true));
    else {
      const scale = f16ToF32(view.getUint16(block, true));
      if (format === 'q8_0') values[i] = scale * view.getInt8(block + 2 + within);
      else {
        // A byte holds elements j (low nibble) and j + 16 (high nibble) of the block.
        const pair = view.getUint8(block + 2 + (within % 16));
        values[i] = scale * ((within < 16 ? pair & 15 : pair >> 4) - 8);
      }
    }
  }
  return values;
}

/** The value of a half-precision bit pattern. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const bf16Bits = new Uint32Array(1);
const bf16Value = new Float32Array(bf16Bits.buffer);

/** The value of a bfloat16 bit pattern. */
export function bf16ToF32(bits: number): number {
  bf16Bits[0] = bits << 16;
  return bf16Value[0]!;
}

/** Blocks of 17 halves: the scale, then 32 signed bytes already in order. */
function layQ8Blocks(halves: Uint16Array, quants: Uint32Array, scales: Uint16Array): void {
  for (let block = 0, h = 0, word = 0; h < halves.length; block++) {
    scales[block] = halves[h++]!;
    for (const end = h + 16; h < end; h += 2) quants[word++] = halves[h]! | (halves[h + 1]! << 16);
  }
}

/** Blocks of 9 halves: the scale, then 16 bytes whose low nibbles are elements 0..15, the high ones 16..31. */
function layQ4Blocks(halves: Uint16Array, quants: Uint32Array, scales: Uint16Array): void {
  for (let block = 0, h = 0, word = 0; h < halves.length; block++, h += 9, word += 4) {
    scales[block] = halves[h]!;
    for (let half = 0; half < 2; half++) {
      const at = h + 1 + half * 4;
      const a = halves[at]! | (halves[at + 1]! << 16);
      const b = halves[at + 2]! | (halves[at + 3]! << 16);
      quants[word + half] = gatherNibbles(a) | (gatherNibbles(b) << 16);
      quants[word + half + 2] = gatherNibbles(a >>> 4) | (gatherNibbles(b >>> 4) << 16);
    }
  }
}

/** The low nibbles of a word's four bytes, side by side in 16 bits. */
function gatherNibbles(word: number): number {
  const nibbles = word & 0x0f0f0f0f;
  const pairs = (nibbles | (nibbles >>> 4)) & 0x00ff00ff;
  return (pairs | (pairs >>> 8)) & 0xffff;
}

function hasScales(format: WeightFormat): boolean {
  return BLOCK_ELEMENTS[format] > 1;
}

/** A view in 16-bit steps; a copy where the bytes begin at an odd address. */
function halvesOf(raw: Uint8Array<ArrayBuffer>): Uint16Array {
  const even = raw.byteOffset % 2 === 0 ? raw : raw.slice();
  return new Uint16Array(even.buffer, even.byteOffset, even.byteLength / 2);
}

function checkLength(format: WeightFormat, raw: Uint8Array, rows: number, cols: number, name: string): void {
  const wanted = (rows * cols * BLOCK_BYTES[format]) / BLOCK_ELEMENTS[format];
  if (raw.length === wanted && cols % BLOCK_ELEMENTS[format] === 0) return;
  throw new ModelFormatError(
    `"${name}" has ${raw.length} bytes, but a ${format} matrix of ${rows} × ${cols} has ${wanted} in rows of whole blocks.`,
  );
}
