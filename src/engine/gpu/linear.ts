// A matrix product as dispatches: one a part of the matrix, each writing its own columns of the output.

import type { KernelSpec } from './kernel';
import type { Ledger } from './ledger';
import type { Binding, ProgramBuilder } from './program';
import type { Matrix, MatrixPart } from './weights';

/** What follows the product inside the same kernel. */
export type Epilogue = 'quick_gelu' | 'gelu' | 'accumulate';

/** Run-time shape every block program depends on: how many tokens it carries. */
export interface BlockShape {
  readonly tokens: number;
}

/** Options of {@link addMatmul}. */
export interface Product {
  readonly step: Binding;
  /** `[tokens, matrix.cols]` f32. */
  readonly x: Binding;
  /** `[tokens, matrix.rows]` f32; `accumulate` adds to what it holds. */
  readonly y: Binding;
  readonly epilogue?: Epilogue;
  /** Tiles in half precision: faster where the device has `shader-f16`, at half the precision of x and w. */
  readonly f16?: boolean;
}

/** Side of a tile of `shaders/matmul.wesl`. */
const TILE = 32;

/** Appends y = act(x · Wᵀ + bias) for a block of tokens. */
export function addMatmul<S extends BlockShape>(
  builder: ProgramBuilder<S>,
  ledger: Ledger,
  matrix: Matrix,
  { step, x, y, epilogue, f16 = false }: Product,
): void {
  for (const part of matrix.parts) {
    const spec: KernelSpec = {
      module: 'matmul',
      conditions: {
        [`w_${part.format}`]: true,
        bias: matrix.bias !== undefined,
        f16_tiles: f16,
        ...(epilogue ? { [epilogue]: true } : {}),
      },
      constants: { ...shapeOf(matrix, part), out_stride: matrix.rows, out_offset: part.firstRow },
    };
    builder.add(spec, { step, x, y, ...operands(ledger, matrix, part) }, ({ tokens }) => [
      Math.ceil(part.rows / TILE),
      Math.ceil(tokens / TILE),
    ]);
  }
}

/** Options of {@link addMatvec}. */
export interface VectorProduct {
  /** `[matrix.cols]` f32. */
  readonly x: Binding;
  /** `[matrix.rows]` f32. */
  readonly y: Binding;
  readonly accumulate?: boolean;
  /** RMS-normalises x on the way in. */
  readonly norm?: { readonly gain: Binding; readonly epsilon: number };
  readonly subgroups: boolean;
}

/** Appends y = norm(x) · Wᵀ + bias for a single token. */
export function addMatvec<S>(
  builder: ProgramBuilder<S>,
  ledger: Ledger,
  matrix: Matrix,
  { x, y, accumulate = false, norm, subgroups }: VectorProduct,
): void {
  for (const part of matrix.parts) {
    const spec: KernelSpec = {
      module: 'matvec',
      conditions: {
        [`w_${part.format}`]: true,
        bias: matrix.bias !== undefined,
        accumulate,
        norm: norm !== undefined,
        subgroups,
      },
      constants: {
        ...shapeOf(matrix, part),
        out_offset: part.firstRow,
        ...(norm ? { epsilon: norm.epsilon } : {}),
      },
    };
    const groups = Math.ceil(part.rows / 4);
    builder.add(spec, { x, y, ...(norm ? { gain: norm.gain } : {}), ...operands(ledger, matrix, part) }, [
      Math.min(groups, 32768),
      Math.ceil(groups / 32768),
    ]);
  }
}

function shapeOf(matrix: Matrix, part: MatrixPart): Record<string, number> {
  return { weight_rows: part.rows, weight_cols: matrix.cols };
}

function operands(ledger: Ledger, matrix: Matrix, part: MatrixPart): Record<string, Binding> {
  const weights = ledger.get(part.buffer);
  if (!matrix.bias) return { weights };
  return { weights, bias: ledger.get(matrix.bias) };
}
