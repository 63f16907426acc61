// A table of positions stretched to other grids.

import { expect, it } from 'vitest';
import { frameGrid, patchPlaces } from './frame-grid';
import { learnedPositions } from './learned-positions';

it.each([
  [3, 64, 96],
  [5, 32, 128],
  [1, 64, 64],
])('a linear table of side %i stays linear, corners on corners: %i × %i pixels', (side, width, height) => {
  const grid = frameGrid(width, height, 16, 2);
  const table = Float32Array.from({ length: side * side * 2 }, (_, i) => {
    const cell = Math.floor(i / 2);
    return i % 2 === 0 ? Math.floor(cell / side) : cell % side;
  });
  const positions = learnedPositions(table, 2, grid);
  patchPlaces(grid).forEach(({ row, col }, patch) => {
    expect(positions[2 * patch]).toBeCloseTo((row * (side - 1)) / (grid.patchRows - 1), 5);
    expect(positions[2 * patch + 1]).toBeCloseTo((col * (side - 1)) / (grid.patchCols - 1), 5);
  });
});
