// A table of positions laid over other grids.

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
  const positions = learnedPositions(table, 2, grid, 'stretched');
  patchPlaces(grid).forEach(({ row, col }, patch) => {
    expect(positions[2 * patch]).toBeCloseTo((row * (side - 1)) / (grid.patchRows - 1), 5);
    expect(positions[2 * patch + 1]).toBeCloseTo((col * (side - 1)) / (grid.patchCols - 1), 5);
  });
});

it.each([
  [11, [0, 1, 2, 4, 5, 6, 8, 9]],
  [8, [0, 1, 2, 3, 4, 5, 6, 7]],
  [3, [0, 0, 0, 1, 1, 1, 2, 2]],
])('of a table of side %i, 8 patches take the places that transformers gives them', (side, places) => {
  const grid = frameGrid(128, 128, 16, 2);
  const table = Float32Array.from({ length: side * side }, (_, cell) => cell);
  const positions = learnedPositions(table, 1, grid, 'nearest');
  expect([...positions]).toEqual(patchPlaces(grid).map(({ row, col }) => places[row]! * side + places[col]!));
});
