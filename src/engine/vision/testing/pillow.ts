// The plain reference of frame input: Pillow's resize of 8-bit RGB, in double precision, and the
// flattening of transformers' Qwen2-VL processor. Only tests import this.

import type { RgbFrame } from '../../contract';
import { type FrameGrid, patchPlaces } from '../frame-grid';
import type { Crop } from '../frame-window';
import type { Filter } from '../hyper';

/** The cut-out as a frame of its own. */
export function cropFrame(frame: RgbFrame, { left, top, width, height }: Crop): RgbFrame {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * frame.width + left) * 3;
    data.set(frame.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** `Image.resize((width, height), filter)`: columns first, each pass rounded to 8 bits. */
export function resizeFrame(
  frame: RgbFrame,
  width: number,
  height: number,
  filter: Filter = 'bicubic',
): RgbFrame {
  const columns = axisWeights(frame.width, width, filter);
  const rows = axisWeights(frame.height, height, filter);
  const narrow = new Uint8Array(width * frame.height * 3);
  for (let y = 0; y < frame.height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const { first, weights } = columns[x]!;
        const sum = weights.reduce(
          (s, w, i) => s + w * frame.data[(y * frame.width + first + i) * 3 + c]!,
          0,
        );
        narrow[(y * width + x) * 3 + c] = toByte(sum);
      }
    }
  }
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const { first, weights } = rows[y]!;
    for (let i = 0; i < width * 3; i++) {
      data[y * width * 3 + i] = toByte(
        weights.reduce((s, w, j) => s + w * narrow[(first + j) * width * 3 + i]!, 0),
      );
    }
  }
  return { width, height, data };
}

/** Bytes `[patches, 3, patchSize, patchSize]` of a frame of the grid's size, patches by merge block. */
export function patchify({ width, data }: RgbFrame, grid: FrameGrid): Uint8Array {
  const { patchSize } = grid;
  const bytes: number[] = [];
  for (const { row, col } of patchPlaces(grid)) {
    for (let c = 0; c < 3; c++) {
      for (let y = row * patchSize; y < (row + 1) * patchSize; y++) {
        for (let x = col * patchSize; x < (col + 1) * patchSize; x++)
          bytes.push(data[(y * width + x) * 3 + c]!);
      }
    }
  }
  return new Uint8Array(bytes);
}

/** First source sample and normalised weights of each output sample. */
function axisWeights(source: number, output: number, filter: Filter): { first: number; weights: number[] }[] {
  const { kernel, support } = KERNELS[filter];
  const scale = source / output;
  const stretch = Math.max(1, scale);
  return Array.from({ length: output }, (_, x) => {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support * stretch + 0.5));
    const end = Math.min(source, Math.floor(centre + support * stretch + 0.5));
    const raw = Array.from({ length: end - first }, (_, i) => kernel((first + i - centre + 0.5) / stretch));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: raw.map((weight) => weight / total) };
  });
}

function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function lanczos(distance: number): number {
  return Math.abs(distance) < 3 ? sinc(distance) * sinc(distance / 3) : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

const KERNELS = {
  bicubic: { kernel: cubic, support: 2 },
  lanczos: { kernel: lanczos, support: 3 },
} as const;

function toByte(value: number): number {
  return Math.max(0, Math.min(255, Math.floor(value + 0.5)));
}
