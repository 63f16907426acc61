// The encoder's own kernels, each against a plain reference in double precision.

import { describe, expect, it } from 'vitest';
import type { Grid } from '../gpu/program';
import {
  downloadFloats,
  emptyBuffer,
  maxDifference,
  randomFloats,
  runKernel,
  testGpu,
  upload,
} from '../gpu/testing/harness';
import { TOLERANCE } from '../testing/tolerance';
import { frameGrid, patchPlaces } from './frame-grid';
import { rotaryTable } from './rotary-table';
import { windowLayout } from './window-layout';

/**
 * softmax(q · kᵀ / sqrt(headDim)) · v of every head; `qkv` is `[patches, 3, heads, headDim]`.
 * @param spans first and last + 1 of the patches that each one sees, `[patches, 2]`; all if left out.
 */
function attention(
  qkv: Float32Array,
  patches: number,
  heads: number,
  headDim: number,
  spans?: Uint32Array,
): Float32Array {
  const at = (p: number, part: number, head: number) => ((p * 3 + part) * heads + head) * headDim;
  const output = new Float32Array(patches * heads * headDim);
  for (let head = 0; head < heads; head++) {
    for (let p = 0; p < patches; p++) {
      const q = qkv.subarray(at(p, 0, head), at(p, 0, head) + headDim);
      const [first, end] = spans ? spans.subarray(2 * p, 2 * p + 2) : [0, patches];
      const scores = Array.from({ length: end! - first! }, (_, j) => {
        const k = at(first! + j, 1, head);
        return q.reduce((sum, value, i) => sum + value * qkv[k + i]!, 0) / Math.sqrt(headDim);
      });
      const peak = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - peak));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let i = 0; i < headDim; i++) {
        const sum = weights.reduce((s, weight, j) => s + weight * qkv[at(first! + j, 2, head) + i]!, 0);
        output[(p * heads + head) * headDim + i] = sum / total;
      }
    }
  }
  return output;
}

/** Either version of the kernel and the grid it runs in. */
const ATTENTION = {
  vision_attention: (patches: number, heads: number) => [Math.ceil(patches / 32), heads],
  vision_attention_direct: (patches: number, heads: number, headDim: number) => [
    Math.ceil((heads * headDim) / 4 / 64),
    patches,
  ],
} as const satisfies Record<string, (...shape: [number, number, number]) => Grid>;

type AttentionModule = keyof typeof ATTENTION;

async function runAttention(
  module: AttentionModule,
  qkv: Float32Array,
  [patches, heads, headDim]: [number, number, number],
  spans?: Uint32Array,
) {
  const { device } = await testGpu();
  const y = emptyBuffer(device, patches * heads * headDim);
  await runKernel(
    device,
    {
      module,
      conditions: { windows: spans !== undefined },
      constants: { width: heads * headDim, head_dim: headDim },
    },
    {
      step: upload(device, Uint32Array.of(patches, ...new Array(11).fill(0))),
      qkv: upload(device, qkv),
      y,
      ...(spans ? { spans: upload(device, spans) } : {}),
    },
    ATTENTION[module](patches, heads, headDim),
  );
  return downloadFloats(device, y);
}

describe.each(Object.keys(ATTENTION) as AttentionModule[])('%s', (module) => {
  const cases: [number, number, number][] = [
    [1, 2, 32],
    [24, 2, 32],
    [64, 2, 32],
    [40, 3, 40],
    [100, 2, 80],
    [33, 1, 128],
    [1020, 2, 4],
  ];
  it.each(cases)('%i patches, %i heads of %i', async (patches, heads, headDim) => {
    const qkv = randomFloats(patches * 3 * heads * headDim, patches).map((value) => value * 2);
    const got = await runAttention(module, qkv, [patches, heads, headDim]);
    expect(maxDifference(got, attention(qkv, patches, heads, headDim))).toBeLessThan(TOLERANCE.kernelF32);
  });

  it('stays finite where scores are large and one key takes all', async () => {
    const qkv = randomFloats(70 * 3 * 64, 5).map((value) => value * 60);
    const got = await runAttention(module, qkv, [70, 2, 32]);
    // Scores of some thousands: their own rounding in f32 moves the weights.
    expect(maxDifference(got, attention(qkv, 70, 2, 32)) / 60).toBeLessThan(1e-3);
  });
});

describe.each(Object.keys(ATTENTION) as AttentionModule[])('%s within windows', (module) => {
  // Pixels of the frame and of a window: whole windows, narrow ones at both edges, and of a single token.
  it.each([
    [224, 112, 112, 2, 32],
    [252, 140, 112, 3, 40],
    [140, 84, 56, 1, 80],
    [84, 84, 28, 2, 16],
  ])(
    'a frame of %i × %i pixels, windows of %i, %i heads of %i',
    async (width, height, side, heads, headDim) => {
      const grid = frameGrid(width, height, 14, 2);
      const { spans } = windowLayout(grid, side);
      const qkv = randomFloats(grid.patches * 3 * heads * headDim, side).map((value) => value * 2);
      const got = await runAttention(module, qkv, [grid.patches, heads, headDim], spans);
      const want = attention(qkv, grid.patches, heads, headDim, spans);
      expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
    },
  );
});

describe('vision_rotary', () => {
  it.each([
    [84, 56, 2, 32],
    [56, 28, 3, 20],
    [28, 112, 1, 80],
  ])('%i × %i pixels, %i heads of %i', async (width, height, heads, headDim) => {
    const { device } = await testGpu();
    const grid = frameGrid(width, height, 14, 2);
    const embed = heads * headDim;
    const data = randomFloats(grid.patches * 3 * embed, 9);
    const qkv = upload(device, data);
    await runKernel(
      device,
      { module: 'vision_rotary', constants: { width: embed, head_dim: headDim } },
      { qkv, rotary: upload(device, rotaryTable(patchPlaces(grid), headDim)) },
      [Math.ceil(embed / 64), grid.patches],
    );
    const wanted = rotate(data, patchPlaces(grid), heads, headDim);
    expect(maxDifference(await downloadFloats(device, qkv), wanted)).toBeLessThan(1e-6);
  });
});

/** Rotate-half over angles [row frequencies, column frequencies], for queries and keys. */
function rotate(data: Float32Array, places: { row: number; col: number }[], heads: number, headDim: number) {
  const result = data.slice();
  const pairs = headDim / 2;
  places.forEach(({ row, col }, p) => {
    for (let line = 0; line < 2 * heads; line++) {
      for (let i = 0; i < pairs; i++) {
        const frequency = 1 / 10000 ** ((2 * (i % (pairs / 2))) / pairs);
        const angle = (i < pairs / 2 ? row : col) * frequency;
        const at = (p * 3 * heads + line) * headDim + i;
        const [a, b] = [data[at]!, data[at + pairs]!];
        result[at] = a * Math.cos(angle) - b * Math.sin(angle);
        result[at + pairs] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  });
  return result;
}

describe('vision_pool', () => {
  it.each([
    [4, 6],
    [5, 3],
    [1, 2],
    [27, 27],
  ])('%i × %i patches', async (rows, cols) => {
    const { device } = await testGpu();
    const width = 8;
    const [outRows, outCols] = [Math.ceil(rows / 2), Math.ceil(cols / 2)];
    const x = randomFloats(rows * cols * width, 5);
    const y = emptyBuffer(device, outRows * outCols * width);
    await runKernel(
      device,
      { module: 'vision_pool', constants: { rows, cols, width } },
      { x: upload(device, x), y },
      [1, outRows * outCols],
    );
    /** Share of each patch of an axis: a triangle as wide as two patches around the middle of the place. */
    const shares = (place: number, out: number, count: number) => {
      const middle = Math.max((place + 0.5) * (count / out) - 0.5, 0);
      return Array.from({ length: count }, (_, i) => Math.max(0, 1 - Math.abs(i - middle)));
    };
    const wanted = Array.from({ length: outRows * outCols * width }, (_, at) => {
      const place = Math.floor(at / width);
      const ofCols = shares(place % outCols, outCols, cols);
      return shares(Math.floor(place / outCols), outRows, rows).reduce(
        (sum, ofRow, row) =>
          sum +
          ofCols.reduce(
            (s, share, col) => s + ofRow * share * x[(row * cols + col) * width + (at % width)]!,
            0,
          ),
        0,
      );
    });
    expect(maxDifference(await downloadFloats(device, y), wanted)).toBeLessThan(TOLERANCE.kernelF32);
  });
});

describe('vision_pixels', () => {
  // The second time, rows take their patches in another order.
  it.each([undefined, [3, 0, 4, 2, 1]])('normalises each channel of both frames; order %j', async (order) => {
    const { device } = await testGpu();
    const [patches, side] = [5, 14];
    const mean = [0.48, 0.45, 0.4];
    const std = [0.27, 0.26, 0.28];
    const patchBytes = 3 * side * side;
    const frameWords = (patches * patchBytes) / 4;
    const bytes = new Uint8Array(randomFloats(2 * frameWords * 4, 4).map((value) => (value + 1) * 128));
    const pixels = [emptyBuffer(device, frameWords * 4), emptyBuffer(device, frameWords * 4)] as const;
    const [mean_r, mean_g, mean_b] = mean;
    const [std_r, std_g, std_b] = std;
    const constants = { mean_r, mean_g, mean_b, std_r, std_g, std_b } as Record<string, number>;
    await runKernel(
      device,
      {
        module: 'vision_pixels',
        conditions: { gather: order !== undefined, two: true },
        constants: { frame_words: frameWords, channel_values: side * side, ...constants },
      },
      {
        patches: upload(device, new Uint32Array(bytes.buffer)),
        pixels_0: pixels[0],
        pixels_1: pixels[1],
        ...(order ? { source: upload(device, Uint32Array.from(order)) } : {}),
      },
      [Math.ceil(frameWords / 64)],
    );
    for (const frame of [0, 1] as const) {
      const wanted = Array.from({ length: patches * patchBytes }, (_, i) => {
        const row = Math.floor(i / patchBytes);
        const byte = bytes[(frame * patches + (order?.[row] ?? row)) * patchBytes + (i % patchBytes)]!;
        const channel = Math.floor(i / (side * side)) % 3;
        return (byte / 255 - mean[channel]!) / std[channel]!;
      });
      expect(maxDifference(await downloadFloats(device, pixels[frame]), wanted)).toBeLessThan(1e-6);
    }
  });
});
