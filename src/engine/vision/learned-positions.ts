// A learned table of positions, for a square grid of patches, laid over the grid of a session's frames, once, at load.
// Stretched, bilinear, corners on corners, as transformers does it for Qwen3-VL; or each patch at the nearest place
// towards the first, as it does for SmolVLM2: both sides of the frame taken for 1, the place its upper left corner is in.

import { type FrameGrid, patchPlaces } from './frame-grid';
import type { PositionFit } from './hyper';

/**
 * @param table `[side², embed]`, row-major.
 * @returns `[grid.patches, embed]`, in the order of patches.
 */
export function learnedPositions(
  table: Float32Array,
  embed: number,
  grid: FrameGrid,
  fit: PositionFit,
): Float32Array<ArrayBuffer> {
  const side = Math.sqrt(table.length / embed);
  const samples = fit === 'stretched' ? stretched : nearest;
  const rows = samples(side, grid.patchRows);
  const cols = samples(side, grid.patchCols);
  const positions = new Float32Array(grid.patches * embed);
  patchPlaces(grid).forEach(({ row, col }, patch) => {
    for (const [y, ofRow] of rows[row]!) {
      for (const [x, ofCol] of cols[col]!) {
        const from = (y * side + x) * embed;
        for (let i = 0; i < embed; i++) positions[patch * embed + i]! += ofRow * ofCol * table[from + i]!;
      }
    }
  });
  return positions;
}

type Samples = (readonly [sample: number, weight: number])[][];

function nearest(side: number, count: number): Samples {
  return Array.from({ length: count }, (_, i) => [[Math.floor((i * side) / count), 1]]);
}

/** For each of `count` places on an axis of `side` samples, the two samples it lies between and their weights. */
function stretched(side: number, count: number): Samples {
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : (i * (side - 1)) / (count - 1);
    const first = Math.floor(at);
    return [
      [first, first + 1 - at],
      [Math.min(first + 1, side - 1), at - first],
    ] as const;
  });
}
