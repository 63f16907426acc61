// What the engine must know of a tensor type to run it: how its blocks are laid out for the kernels, and what
// values they stand for. How many elements and bytes a block has is the business of `tensor-types.ts`.

/** A tensor type as the kernels read it. Offsets are in bytes; everything is little-endian, like WebGPU itself. */
export interface Format {
  /**
   * A row on the GPU is made of sections, each holding one part of every block, in order. These are the bytes a
   * block has in each; together as many as the block has in the file, for nothing is rounded or expanded.
   */
  readonly sections: readonly number[];
  /**
   * Writes the parts of the block at `from` of `source` to their places `at` in `target`. Absent where a row
   * stays as it is in the file.
   */
  lay?(source: DataView, from: number, target: DataView, at: readonly number[]): void;
  /** Writes the values of the block at `from` of `source` into `values`, from `first` on: the plain reference. */
  dequantise(source: DataView, from: number, values: Float32Array, first: number): void;
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
