// A learned table of positions, for a square grid of patches, stretched to the grid of a session's frames: bilinear,
// corners on corners, as transformers does it for Qwen3-VL. Once, at load.

import { type FrameGrid, patchPlaces } from './frame-grid';

/**
 * @param table `[side², embed]`, row-major.
 * @returns `[grid.patches, embed]`, in the order of patches.
 */
export function learnedPositions(
  table: Float32Array,
  embed: number,
  grid: FrameGrid,
): Float32Array<ArrayBuffer> {
  const side = Math.sqrt(table.length / embed);
  const rows = stretched(side, grid.patchRows);
  const cols = stretched(side, grid.patchCols);
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

/** For each of `count` places on an axis of `side` samples, the two samples it lies between and their weights. */
function stretched(side: number, count: number): (readonly [sample: number, weight: number])[][] {
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : (i * (side - 1)) / (count - 1);
    const first = Math.floor(at);
    return [
      [first, first + 1 - at],
      [Math.min(first + 1, side - 1), at - first],
    ] as const;
  });
}
