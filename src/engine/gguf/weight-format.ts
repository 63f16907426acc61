// From a tensor's bytes in a GGUF file to what our kernels read. Blocks stay quantised; nothing here rounds. A row
// on the GPU is complete in itself: floats as they are in the file; of block formats one section after the other
// (`formats/`), each filled up to 16 bytes, so that kernels read quants 16 bytes at a time. shaders/lib/weights.wesl
// reads what is laid out here.
import { ModelFormatError } from '../errors';
import { q4_0, q4_1, q5_0, q5_1, q8_0 } from './formats/blocks-32';
import { bf16, f16, f32 } from './formats/floats';
import type { Format } from './formats/format';
import { q4_k, q5_k, q6_k } from './formats/k-quants';
import { blockOf, type TensorType } from './tensor-types';

/** The tensor types the engine runs, by the name of the condition that makes a kernel read them. */
const FORMATS = { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k } satisfies {
  readonly [Name in Lowercase<TensorType>]?: Format;
};

export type WeightFormat = keyof typeof FORMATS;

/** Every format there is. */
export const WEIGHT_FORMATS = Object.keys(FORMATS) as readonly WeightFormat[];

/** The weight format of a tensor type, or undefined where the engine has none. */
export function weightFormat(type: TensorType): WeightFormat | undefined {
  return WEIGHT_FORMATS.find((format) => tensorTypeOf(format) === type);
}

/** As GGUF calls a format. */
export function tensorTypeOf(format: WeightFormat): TensorType {
  return format.toUpperCase() as Uppercase<WeightFormat>;
}

/**
 * Bytes of a [rows, cols] matrix on the GPU, a multiple of 8.
 * @param name the tensor, for the error's message.
 * @throws ModelFormatError where cols is not a multiple of 4, or of the elements of a block.
 */
export function weightBytes(format: WeightFormat, rows: number, cols: number, name = 'matrix'): number {
  return rows * sectionStarts(format, cols, name).at(-1)!;
}

/**
 * A whole [rows, cols] matrix (or a range of rows as a matrix of its own) in the kernels' layout. `raw` holds
 * exactly those rows as they stand in the file; matrices of one format and width join by joining their bytes,
 * here as there. The result shares memory with `raw` where rows stay as they are and `raw` is aligned.
 * @throws ModelFormatError where the shape does not fit the format or the length of `raw`.
 */
export function repack(
  format: WeightFormat,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
  name = 'matrix',
): Uint32Array<ArrayBuffer> {
  const starts = sectionStarts(format, cols, name);
  checkLength(format, raw, rows, cols, name);
  const rowBytes = starts.at(-1)!;
  const { sections, lay }: Format = FORMATS[format];
  if (!lay && raw.byteOffset % 4 === 0) {
    return new Uint32Array(raw.buffer, raw.byteOffset, raw.length / 4);
  }
  const words = new Uint32Array((rows * rowBytes) / 4);
  if (!lay) {
    new Uint8Array(words.buffer).set(raw);
    return words;
  }
  const source = viewOf(raw);
  const target = new DataView(words.buffer);
  const { blockBytes } = blockOf(tensorTypeOf(format));
  const at = sections.map(() => 0);
  for (let row = 0, from = 0; row < rows; row++) {
    for (let section = 0; section < at.length; section++) at[section] = row * rowBytes + starts[section]!;
    for (const end = from + raw.length / rows; from < end; from += blockBytes) {
      lay(source, from, target, at);
      for (let section = 0; section < at.length; section++) at[section]! += sections[section]!;
    }
  }
  return words;
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
  const source = viewOf(raw);
  const values = new Float32Array(rows * cols);
  const { blockElements, blockBytes } = blockOf(tensorTypeOf(format));
  for (let first = 0, from = 0; first < values.length; first += blockElements, from += blockBytes) {
    FORMATS[format].dequantise(source, from, values, first);
  }
  return values;
}

/** Bytes from a row's start to each of its sections, and last to the next row. Errors as `weightBytes`. */
function sectionStarts(format: WeightFormat, cols: number, name: string): readonly number[] {
  const { blockElements } = blockOf(tensorTypeOf(format));
  const multiple = Math.max(4, blockElements);
  if (cols % multiple !== 0) {
    throw new ModelFormatError(
      `"${name}" has rows of ${cols} elements, but a ${format} matrix needs a multiple of ${multiple}.`,
    );
  }
  const { sections, lay }: Format = FORMATS[format];
  const filledUp = lay ? 16 : 1;
  const starts = [0];
  for (const bytes of sections) {
    const length = (bytes * cols) / blockElements;
    starts.push(starts.at(-1)! + Math.ceil(length / filledUp) * filledUp);
  }
  return starts;
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkLength(format: WeightFormat, raw: Uint8Array, rows: number, cols: number, name: string): void {
  const { blockElements, blockBytes } = blockOf(tensorTypeOf(format));
  const wanted = (rows * cols * blockBytes) / blockElements;
  if (raw.length === wanted && cols % blockElements === 0) return;
  throw new ModelFormatError(
    `"${name}" has ${raw.length} bytes, but a ${format} matrix of ${rows} × ${cols} has ${wanted} in rows of whole blocks.`,
  );
}
