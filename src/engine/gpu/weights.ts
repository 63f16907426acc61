// Weights on their way from a GGUF file to the GPU: which tensors make which matrix, in which buffers, and
// the streaming upload, a few megabytes at a time. A matrix stays in its file's format.

import { ModelFormatError } from '../errors';
import type { ModelFile, WeightInfo } from '../gguf/model-file';
import { repack, type WeightFormat, weightBytes } from '../gguf/weight-format';
import type { Ledger } from './ledger';
import { type BufferSpec, storage } from './memory-plan';

/** Rows of one format that fit one binding. Several parts make a matrix; nearly always there is just one. */
export interface MatrixPart {
  readonly buffer: string;
  readonly format: WeightFormat;
  /** Where these rows stand in the whole matrix. */
  readonly firstRow: number;
  readonly rows: number;
  /** Uniform with this part's shape, `[rows, cols, firstRow, rows of the whole]`; see shaders/lib/weights.wesl. */
  readonly shape: string;
}

/** A weight matrix `[rows, cols]`, optionally with a bias `[rows]`. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly parts: readonly MatrixPart[];
  /** Buffer of the bias as f32, if there is one. */
  readonly bias?: string;
}

/** Tensors of queries or keys in which the two rows of a rotary pair stand side by side, as in `llama` files. */
export interface AdjacentPairs {
  readonly of: readonly string[];
  readonly headDim: number;
}

/** Some rows of a tensor, bound for some rows of a part. */
interface Piece {
  readonly tensor: WeightInfo;
  readonly firstRow: number;
  readonly rows: number;
  readonly part: MatrixPart;
  /** Row within the part. */
  readonly at: number;
  /** Rows of a head whose pairs are to be taken apart; then all of it is whole heads. */
  readonly headDim?: number;
}

/** A vector assembled from whole tensors, kept as f32. */
interface VectorLoad {
  readonly buffer: string;
  readonly tensors: readonly WeightInfo[];
}

/** Most bytes of a tensor that are in JavaScript memory at a time. */
const CHUNK_BYTES = 4 * 2 ** 20;

/**
 * Collects the weights of one model file: first everything is asked for by `matrix` and `vector`, which fill
 * the memory plan; once its buffers exist, `upload` streams the file into them.
 */
export class WeightPlan {
  readonly specs: BufferSpec[] = [];
  readonly #file: ModelFile;
  readonly #maxBindingBytes: number;
  readonly #matrices: Matrix[] = [];
  readonly #pieces: Piece[] = [];
  readonly #vectors: VectorLoad[] = [];

  /** @param maxBindingBytes a matrix larger than this is split by rows. */
  constructor(file: ModelFile, maxBindingBytes: number) {
    this.#file = file;
    this.#maxBindingBytes = maxBindingBytes;
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /**
   * A matrix of the named tensors stacked by rows; neighbours of one format share a buffer.
   * @param biases tensors stacked into the bias, or none.
   * @param adjacent whose rotary pairs are brought half a head apart, as the kernels have them.
   * @throws ModelFormatError when a tensor is missing, or its columns differ from the others'.
   */
  matrix(names: readonly string[], biases: readonly string[] = [], adjacent?: AdjacentPairs): Matrix {
    if (adjacent && biases.length > 0) {
      throw new ModelFormatError(
        `${this.#file.source.name}: '${biases[0]}' is a bias of adjacent rotary pairs, which no known model has. Choose another file.`,
      );
    }
    const tensors = names.map((name) => asMatrix(this.#file.weight(name)));
    const { cols } = tensors[0]!;
    const runs: { format: WeightFormat; tensors: WeightInfo[] }[] = [];
    for (const tensor of tensors) {
      if (tensor.cols !== cols) {
        throw new ModelFormatError(
          `${this.#file.source.name}: '${tensor.name}' has ${tensor.cols} columns where '${names[0]}' has ${cols}.`,
        );
      }
      const { format } = tensor;
      const last = runs.at(-1);
      if (last?.format === format) last.tensors.push(tensor);
      else runs.push({ format, tensors: [tensor] });
    }
    const parts: MatrixPart[] = [];
    let firstRow = 0;
    for (const run of runs) {
      for (const part of this.#partsOf(run, firstRow, adjacent)) parts.push(part);
      firstRow += run.tensors.reduce((sum, { rows }) => sum + rows, 0);
    }
    const bias = biases.length > 0 ? this.vector(biases) : undefined;
    const matrix = { rows: firstRow, cols, parts, bias };
    this.#matrices.push(matrix);
    return matrix;
  }

  /** Buffer name of the named tensors joined end to end, as f32. */
  vector(names: readonly string[]): string {
    const tensors = names.map((name) => this.#file.weight(name));
    const buffer = `weights.${this.#file.source.name}.${names[0]}`;
    this.specs.push(
      storage(
        buffer,
        'weights',
        tensors.reduce((sum, { rows, cols }) => sum + rows * cols, 0),
      ),
    );
    this.#vectors.push({ buffer, tensors });
    return buffer;
  }

  /**
   * Streams every tensor asked for into its buffers, in the order of the file: the one in which it may be arriving.
   * @param onBytes called with the number of file bytes done since the last call.
   */
  async upload(device: GPUDevice, ledger: Ledger, onBytes: (bytes: number) => void): Promise<void> {
    for (const { parts, cols, rows } of this.#matrices) {
      for (const part of parts) {
        device.queue.writeBuffer(ledger.get(part.shape), 0, partShape(part, cols, rows));
      }
    }
    const loads = [
      ...this.#vectors.flatMap(({ buffer, tensors }) => {
        let end = 0;
        return tensors.map((tensor) => {
          const at = end;
          end += tensor.rows * tensor.cols;
          const load = async () => {
            device.queue.writeBuffer(ledger.get(buffer), at * 4, await this.#file.values(tensor.name));
            onBytes(tensor.byteLength);
          };
          return { tensor, firstRow: 0, load };
        });
      }),
      ...this.#pieces.map((piece) => {
        const { tensor, firstRow } = piece;
        return { tensor, firstRow, load: () => this.#uploadPiece(device, ledger, piece, onBytes) };
      }),
    ];
    loads.sort((a, b) => a.tensor.byteOffset - b.tensor.byteOffset || a.firstRow - b.firstRow);
    for (const { load } of loads) await load();
  }

  /** Bytes that `upload` will read. */
  get fileBytes(): number {
    const rows = (piece: Piece) => (piece.tensor.byteLength / piece.tensor.rows) * piece.rows;
    const vectors = this.#vectors.flatMap(({ tensors }) => tensors);
    return (
      this.#pieces.reduce((sum, piece) => sum + rows(piece), 0) +
      vectors.reduce((sum, { byteLength }) => sum + byteLength, 0)
    );
  }

  #partsOf(
    { format, tensors }: { format: WeightFormat; tensors: WeightInfo[] },
    firstRow: number,
    adjacent?: AdjacentPairs,
  ): MatrixPart[] {
    const { cols } = tensors[0]!;
    const rows = tensors.reduce((sum, tensor) => sum + tensor.rows, 0);
    const rowsAPart = wholeRows(
      this.#maxBindingBytes / weightBytes(format, 1, cols, tensors[0]!.name),
      adjacent?.headDim,
    );
    const parts: MatrixPart[] = [];
    for (let start = 0; start < rows; start += rowsAPart) {
      const part: MatrixPart = {
        buffer: `weights.${this.#file.source.name}.${tensors[0]!.name}.${start}`,
        format,
        firstRow: firstRow + start,
        rows: Math.min(rowsAPart, rows - start),
        shape: `weights.${this.#file.source.name}.${tensors[0]!.name}.${start}.shape`,
      };
      parts.push(part);
      this.specs.push({ name: part.shape, kind: 'uniform', purpose: 'weights', bytes: 16 });
      this.specs.push(storage(part.buffer, 'weights', weightBytes(format, part.rows, cols) / 4));
      let tensorStart = 0;
      for (const tensor of tensors) {
        const from = Math.max(start, tensorStart);
        const to = Math.min(start + part.rows, tensorStart + tensor.rows);
        if (from < to) {
          this.#pieces.push({
            tensor,
            firstRow: from - tensorStart,
            rows: to - from,
            part,
            at: from - start,
            ...(adjacent?.of.includes(tensor.name) ? { headDim: adjacent.headDim } : {}),
          });
        }
        tensorStart += tensor.rows;
      }
    }
    return parts;
  }

  async #uploadPiece(
    device: GPUDevice,
    ledger: Ledger,
    { tensor, firstRow, rows, part, at, headDim }: Piece,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { name, cols } = tensor;
    const { format } = part;
    const buffer = ledger.get(part.buffer);
    const fileRowBytes = tensor.byteLength / tensor.rows;
    const rowBytes = weightBytes(format, 1, cols, name);
    const rowsAChunk = wholeRows(CHUNK_BYTES / fileRowBytes, headDim);
    for (let row = 0; row < rows; row += rowsAChunk) {
      const rowCount = Math.min(rowsAChunk, rows - row);
      const raw = await this.#file.read(tensor, { firstRow: firstRow + row, rowCount });
      const words = repack(format, raw, rowCount, cols, name);
      const laid = headDim === undefined ? words : pairsApart(words, rowBytes / 4, headDim);
      device.queue.writeBuffer(buffer, (at + row) * rowBytes, laid);
      onBytes(rowCount * fileRowBytes);
    }
  }
}

/** As many rows as fit, in whole heads of `unit` rows, and one at least. */
function wholeRows(fitting: number, unit = 1): number {
  return Math.max(1, Math.floor(fitting / unit)) * unit;
}

/** Rows of whole heads, of each the even ones before the odd ones. */
function pairsApart(
  words: Uint32Array<ArrayBuffer>,
  rowWords: number,
  headDim: number,
): Uint32Array<ArrayBuffer> {
  const apart = new Uint32Array(words.length);
  for (let row = 0; row < words.length / rowWords; row++) {
    const within = row % headDim;
    const to = row - within + (within % 2) * (headDim / 2) + Math.floor(within / 2);
    apart.set(words.subarray(row * rowWords, (row + 1) * rowWords), to * rowWords);
  }
  return apart;
}

/** What shaders/lib/weights.wesl calls Shape. */
export function partShape(part: MatrixPart, cols: number, allRows: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.of(part.rows, cols, part.firstRow, allRows);
}

/** A tensor of any rank as outermost dimension × all the others: a convolution as the product over its window. */
function asMatrix(tensor: WeightInfo): WeightInfo {
  const rows = tensor.shape[0]!;
  return { ...tensor, rows, cols: (tensor.rows * tensor.cols) / rows };
}
