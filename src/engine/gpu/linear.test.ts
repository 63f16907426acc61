// matmul, matvec and embed_rows in every weight format against double precision, over shapes that are no
// multiple of a tile; the half-precision version against the same.

import { describe, expect, it } from 'vitest';
import { blockOf } from '../gguf/tensor-types';
import { goldenBlocks } from '../gguf/testing/golden-blocks';
import {
  dequantise,
  repack,
  tensorTypeOf,
  WEIGHT_FORMATS,
  type WeightFormat,
  weightBytes,
} from '../gguf/weight-format';
import { TOLERANCE } from '../testing/tolerance';
import type { Gpu } from './device';
import type { Ledger } from './ledger';
import { addMatmul, addMatvec, type BlockShape, type Epilogue } from './linear';
import { ProgramBuilder, submit } from './program';
import {
  downloadFloats,
  emptyBuffer,
  maxDifference,
  randomFloats,
  runKernel,
  testGpu,
  upload,
} from './testing/harness';
import { randomWeights } from './testing/random-weights';
import { type Matrix, partShape } from './weights';

/** So many columns, in the least multiple a format allows, of 32 at least. */
function columns(format: WeightFormat, multiples: number): number {
  return multiples * Math.max(32, blockOf(tensorTypeOf(format)).blockElements);
}

/** A matrix in one part, or in several split after each `split` rows, with its values in double precision's reach. */
function testMatrix(device: GPUDevice, format: WeightFormat, rows: number, cols: number, split = rows) {
  const buffers = new Map<string, GPUBuffer>();
  const values = new Float32Array(rows * cols);
  const parts: Matrix['parts'][number][] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += split) {
    const count = Math.min(split, rows - firstRow);
    const raw = randomWeights(format, count * cols, firstRow + cols);
    values.set(dequantise(format, raw, count, cols), firstRow * cols);
    const words = repack(format, raw, count, cols);
    expect(words.byteLength).toBe(weightBytes(format, count, cols));
    buffers.set(`part.${firstRow}`, upload(device, words));
    const part = { buffer: `part.${firstRow}`, format, firstRow, rows: count, shape: `shape.${firstRow}` };
    buffers.set(part.shape, upload(device, partShape(part, cols, rows)));
    parts.push(part);
  }
  const bias = randomFloats(rows, 7);
  buffers.set('bias', upload(device, bias));
  const ledger = { get: (name: string) => buffers.get(name)! } as Pick<Ledger, 'get'> as Ledger;
  return { matrix: { rows, cols, parts, bias: 'bias' } satisfies Matrix, values, bias, ledger };
}

/** y[t, n] = Σ_k x[t, k] w[n, k] + bias[n] in double precision. */
function product(
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array,
  tokens: number,
  rows: number,
  cols: number,
) {
  const y = new Float64Array(tokens * rows);
  for (let t = 0; t < tokens; t++) {
    for (let n = 0; n < rows; n++) {
      let sum = bias[n]!;
      for (let k = 0; k < cols; k++) sum += x[t * cols + k]! * w[n * cols + k]!;
      y[t * rows + n] = sum;
    }
  }
  return y;
}

async function matmul(
  format: WeightFormat,
  [tokens, rows, cols]: readonly [number, number, number],
  {
    kernels = 'tiled',
    f16 = false,
    split,
    epilogue,
  }: { kernels?: Gpu['kernels']; f16?: boolean; split?: number; epilogue?: Epilogue } = {},
) {
  const { device } = await testGpu();
  const { matrix, values, bias, ledger } = testMatrix(device, format, rows, cols, split);
  const x = randomFloats(tokens * cols, 3);
  const before = randomFloats(tokens * rows, 5);
  const y = upload(device, before);
  const step = upload(device, Uint32Array.of(tokens, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const builder = new ProgramBuilder<BlockShape>();
  addMatmul(builder, ledger, matrix, { step, x: upload(device, x), y, epilogue, matmul: { kernels, f16 } });
  const program = await builder.build(device, 'test');
  submit(device, 'test', (pass) => program.record(pass, { tokens }));
  return { got: await downloadFloats(device, y), want: product(x, values, bias, tokens, rows, cols), before };
}

describe('matmul', () => {
  for (const format of WEIGHT_FORMATS) {
    for (const shape of [
      [1, 5, columns(format, 1)],
      [33, 70, columns(format, 3)],
      [16, 31, columns(format, 5)],
    ] as const) {
      it(`${format} ${shape.join('×')}`, async () => {
        const { got, want } = await matmul(format, shape);
        expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
        const plain = await matmul(format, shape, { kernels: 'direct' });
        expect(maxDifference(plain.got, want)).toBeLessThan(TOLERANCE.kernelF32);
      });
    }
  }

  for (const format of ['f32', 'f16', 'bf16'] as const) {
    it(`${format}, columns that fill no chunk`, async () => {
      const { got, want } = await matmul(format, [7, 9, 20]);
      expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
      const plain = await matmul(format, [7, 9, 20], { kernels: 'direct' });
      expect(maxDifference(plain.got, want)).toBeLessThan(TOLERANCE.kernelF32);
    });
  }

  it('a matrix in several parts', async () => {
    const { got, want } = await matmul('q8_0', [5, 70, 64], { split: 25 });
    expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
  });

  it('epilogues', async () => {
    const shape = [6, 38, 64] as const;
    const added = await matmul('f32', shape, { epilogue: 'accumulate' });
    expect(
      maxDifference(
        added.got,
        added.want.map((v, i) => v + added.before[i]!),
      ),
    ).toBeLessThan(TOLERANCE.kernelF32);
    const quick = await matmul('f32', shape, { epilogue: 'quick_gelu' });
    expect(
      maxDifference(
        quick.got,
        quick.want.map((v) => v / (1 + Math.exp(-1.702 * v))),
      ),
    ).toBeLessThan(TOLERANCE.kernelF32);
    const gelu = await matmul('f32', shape, { epilogue: 'gelu' });
    expect(
      maxDifference(
        gelu.got,
        gelu.want.map((v) => (v / 2) * (1 + erf(v / Math.SQRT2))),
      ),
    ).toBeLessThan(TOLERANCE.kernelF32);
  });

  for (const format of WEIGHT_FORMATS) {
    it(`half-precision tiles, ${format}`, async ({ skip }) => {
      const { features } = await testGpu();
      skip(!features.f16, 'skipped: no shader-f16');
      const shape = [33, 70, columns(format, 3)] as const;
      const plain = await matmul(format, shape, { kernels: 'direct' });
      const { got } = await matmul(format, shape, { f16: true });
      expect(maxDifference(got, plain.got)).toBeLessThan(TOLERANCE.kernelF16);
    });
  }
});

async function matvec(
  format: WeightFormat,
  [rows, cols]: readonly [number, number],
  { norm = false, split }: { norm?: boolean; split?: number } = {},
) {
  const { device } = await testGpu();
  const { matrix, values, bias, ledger } = testMatrix(device, format, rows, cols, split);
  const x = randomFloats(cols, 3);
  const gain = randomFloats(cols, 4);
  const y = emptyBuffer(device, rows);
  const builder = new ProgramBuilder();
  addMatvec(builder, ledger, matrix, {
    x: upload(device, x),
    y,
    norm: norm ? { gain: upload(device, gain), epsilon: 1e-6 } : undefined,
  });
  const program = await builder.build(device, 'test');
  submit(device, 'test', (pass) => program.record(pass));
  const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / cols + 1e-6);
  const normed = norm ? x.map((v, i) => v * gain[i]! * scale) : x;
  return { got: await downloadFloats(device, y), want: product(normed, values, bias, 1, rows, cols) };
}

describe('matvec', () => {
  for (const format of WEIGHT_FORMATS) {
    for (const shape of [
      [5, columns(format, 1)],
      [71, columns(format, 3)],
      [130, columns(format, 5)],
    ] as const) {
      it(`${format} ${shape.join('×')}`, async () => {
        const { got, want } = await matvec(format, shape);
        expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
      });
    }
    it(`${format} with norm and parts`, async () => {
      const { got, want } = await matvec(format, [71, columns(format, 3)], { norm: true, split: 25 });
      expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
    });
  }

  // Workgroups hold 1,024 columns of x at a time.
  for (const [format, cols] of [
    ['f32', 1132],
    ['f16', 1132],
    ['bf16', 100],
    ['q8_0', 1120],
    ['q4_0', 2080],
  ] as const) {
    it(`${format} normalises ${cols} columns on the way in`, async () => {
      const { got, want } = await matvec(format, [13, cols], { norm: true });
      expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
    });
  }
});

describe('embed_rows', () => {
  /** The rows `ids` of a [rows, cols] matrix, from the GPU. */
  async function embed(
    format: WeightFormat,
    raw: Uint8Array<ArrayBuffer>,
    [rows, cols]: readonly [number, number],
    ids: readonly number[],
  ) {
    const { device } = await testGpu();
    const y = emptyBuffer(device, ids.length * cols);
    await runKernel(
      device,
      {
        module: 'embed_rows',
        conditions: { [`w_${format}`]: true },
      },
      {
        step: upload(device, Uint32Array.of(ids.length, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
        weights: upload(device, repack(format, raw, rows, cols)),
        shape: upload(device, Uint32Array.of(rows, cols, 0, rows)),
        ids: upload(device, Uint32Array.from(ids)),
        y,
      },
      [ids.length],
    );
    return downloadFloats(device, y);
  }

  for (const format of WEIGHT_FORMATS) {
    it(`${format} gives the golden blocks, exactly`, async () => {
      const { raw, values } = goldenBlocks(format, false);
      expect(maxDifference(await embed(format, raw, [4, values.length / 4], [0, 1, 2, 3]), values)).toBe(0);
    });

    it(`${format} takes the rows asked for`, async () => {
      const [rows, cols] = [37, columns(format, 3)];
      const raw = randomWeights(format, rows * cols, 1);
      const values = dequantise(format, raw, rows, cols);
      const ids = [36, 0, 5, 5, 17];
      const want = ids.flatMap((id) => [...values.subarray(id * cols, (id + 1) * cols)]);
      expect(maxDifference(await embed(format, raw, [rows, cols], ids), want)).toBe(0);
    });
  }
});

/** erf by its Taylor series; beyond 3.5 it is ±1 to within 1e-6. */
function erf(x: number): number {
  if (Math.abs(x) > 3.5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
