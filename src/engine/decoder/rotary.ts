// Multimodal rotary positions (M-RoPE, Qwen2-VL, arXiv 2409.12191) as a table of cosines and sines, made
// on the CPU in double precision: angles of an endless stream would lose their fraction in f32.

import type { Rope } from './hyper';

/** A token's place in time and on the frame. Text has all three equal. */
export type Position = readonly [time: number, height: number, width: number];

/** How the tokens of a frame stand. */
export interface FrameShape {
  readonly rows: number;
  readonly columns: number;
  /** Positions of time that a frame takes: one that its tokens share, or one for each of them. */
  readonly duration: number;
}

/**
 * A frame's tokens on a grid at one time (M-RoPE); or where positions have one axis, in a row, each token one position
 * behind the one before, as text stands.
 */
export function frameShape(
  { mrope }: { readonly mrope: boolean },
  rows: number,
  columns: number,
): FrameShape {
  return mrope
    ? { rows, columns, duration: 1 }
    : { rows: 1, columns: rows * columns, duration: rows * columns };
}

/** Radians that a rotary pair turns a position. */
export function rotaryFrequency(pair: number, pairs: number, ropeTheta: number): number {
  return ropeTheta ** (-pair / pairs);
}

/**
 * Which of time (0), height (1) and width (2) turns each rotary pair. Sections stand one behind the other; or
 * interleaved, every third pair is height's and the ones behind them width's, as many as each has, and all others
 * are time's (Qwen3-VL).
 */
export function rotaryAxes({
  ropeSections,
  ropeInterleaved = false,
}: Omit<Rope, 'ropeTheta'>): (0 | 1 | 2)[] {
  const [time, height, width] = ropeSections;
  return Array.from({ length: time + height + width }, (_, pair) => {
    if (!ropeInterleaved) return pair < time ? 0 : pair < time + height ? 1 : 2;
    const axis = (pair % 3) as 0 | 1 | 2;
    return axis > 0 && pair < 3 * ropeSections[axis] ? axis : 0;
  });
}

/**
 * Cosine and sine of every rotary pair.
 * @returns `[tokens, headDim / 2, 2]`
 */
export function rotaryTable(
  positions: readonly Position[],
  { headDim, ropeTheta, ...sections }: Rope & { readonly headDim: number },
): Float32Array<ArrayBuffer> {
  const pairs = headDim / 2;
  const axes = rotaryAxes(sections);
  const table = new Float32Array(positions.length * headDim);
  for (let pair = 0; pair < pairs; pair++) {
    const frequency = rotaryFrequency(pair, pairs, ropeTheta);
    const axis = axes[pair]!;
    for (let token = 0; token < positions.length; token++) {
      const angle = positions[token]![axis] * frequency;
      table[token * headDim + 2 * pair] = Math.cos(angle);
      table[token * headDim + 2 * pair + 1] = Math.sin(angle);
    }
  }
  return table;
}

/** Positions of `count` text tokens from `start` on. */
export function textPositions(start: number, count: number): Position[] {
  return Array.from({ length: count }, (_, i) => [start + i, start + i, start + i]);
}

/** Positions of one temporal patch: `start` + its time, row and column, row-major over the merged grid. */
export function framePositions(
  start: number,
  time: number,
  { rows, columns, duration }: FrameShape,
): Position[] {
  return Array.from({ length: rows * columns }, (_, i) => [
    start + time + Math.min(i, duration - 1),
    start + Math.floor(i / columns),
    start + (i % columns),
  ]);
}
