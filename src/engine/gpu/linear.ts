// A matrix product as dispatches: one a part of the matrix, each writing its own columns of the output.

import type { Gpu } from './device';
import type { KernelSpec } from './kernel';
import type { Ledger } from './ledger';
import type { Binding, ProgramBuilder } from './program';
import type { Matrix, MatrixPart } from './weights';

/** What follows the product inside the same kernel. */
export type Epilogue = 'quick_gelu' | 'gelu' | 'gelu_tanh' | 'accumulate';

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
  readonly matmul: MatmulChoice;
}

/** Which version of the kernel runs. */
export interface MatmulChoice {
  readonly kernels: Gpu['kernels'];
  /** Tiles in half precision: faster where the device has `shader-f16`, at half the precision of x and w. */
  readonly f16: boolean;
}

/** Conditions that choose how a workgroup sums; see shaders/lib/reduce.wesl. */
export function reduction({ kernels, features }: Gpu): Record<string, boolean> {
  return kernels === 'direct' ? { direct: true } : { subgroups: features.subgroups };
}

/** Tokens and outputs of one workgroup. */
const TILE = { tiled: { tokens: 32, rows: 32 }, direct: { tokens: 4, rows: 256 } } as const;

/** Appends y = act(x · Wᵀ + bias) for a block of tokens. */
export function addMatmul<S extends BlockShape>(
  builder: ProgramBuilder<S>,
  ledger: Ledger,
  matrix: Matrix,
  { step, x, y, epilogue, matmul: { kernels, f16 } }: Product,
): void {
  for (const part of matrix.parts) {
    const spec: KernelSpec = {
      module: kernels === 'tiled' ? 'matmul' : 'matmul_direct',
      conditions: {
        [`w_${part.format}`]: true,
        bias: matrix.bias !== undefined,
        f16_tiles: f16 && kernels === 'tiled',
        ...(epilogue ? { [epilogue]: true } : {}),
      },
    };
    builder.add(spec, { step, x, y, ...operands(ledger, matrix, part) }, ({ tokens }) => [
      Math.ceil(part.rows / TILE[kernels].rows),
      Math.ceil(tokens / TILE[kernels].tokens),
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
}

/** Outputs of one workgroup of matvec. */
const VECTOR_ROWS = 16;

/** Appends y = norm(x) · Wᵀ + bias for a single token. */
export function addMatvec<S>(
  builder: ProgramBuilder<S>,
  ledger: Ledger,
  matrix: Matrix,
  { x, y, accumulate = false, norm }: VectorProduct,
): void {
  for (const part of matrix.parts) {
    const spec: KernelSpec = {
      module: 'matvec',
      conditions: {
        [`w_${part.format}`]: true,
        bias: matrix.bias !== undefined,
        accumulate,
        norm: norm !== undefined,
      },
      constants: norm ? { epsilon: norm.epsilon } : {},
    };
    builder.add(spec, { x, y, ...(norm ? { gain: norm.gain } : {}), ...operands(ledger, matrix, part) }, [
      Math.ceil(part.rows / VECTOR_ROWS),
    ]);
  }
}

function operands(ledger: Ledger, matrix: Matrix, part: MatrixPart): Record<string, Binding> {
  const weights = { weights: ledger.get(part.buffer), shape: ledger.get(part.shape) };
  return matrix.bias ? { ...weights, bias: ledger.get(matrix.bias) } : weights;
}
