// The order of patches by windows: whole ones, and smaller ones at the edges.

import { expect, it } from 'vitest';
import { frameGrid } from './frame-grid';
import { windowLayout } from './window-layout';

/** Visual tokens in the order of the rows, one of their four patches each. */
function tokens(width: number, height: number, pixels: number): number[] {
  const { patchOfRow } = windowLayout(frameGrid(width, height, 14, 2), pixels);
  return Array.from(
    patchOfRow.filter((_, row) => row % 4 === 0),
    (patch) => patch / 4,
  );
}

it('takes windows row by row, and tokens row by row within them', () => {
  // 5 × 3 tokens in windows of 2 × 2.
  expect(tokens(140, 84, 56)).toEqual([0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14]);
});

it('leaves a frame of one window as it is', () => {
  expect(tokens(84, 56, 112)).toEqual([0, 1, 2, 3, 4, 5]);
});

it.each([
  [140, 84, 56],
  [252, 140, 112],
])('%i × %i pixels: patches of a token stay together, rows know their window', (width, height, pixels) => {
  const grid = frameGrid(width, height, 14, 2);
  const { patchOfRow, rowOfPatch, spans } = windowLayout(grid, pixels);
  const windowOf = (patch: number) => {
    const token = Math.floor(patch / 4);
    const [y, x] = [Math.floor(token / grid.tokenCols), token % grid.tokenCols];
    return `${Math.floor((y * 28) / pixels)},${Math.floor((x * 28) / pixels)}`;
  };
  for (let row = 0; row < grid.patches; row++) {
    expect(rowOfPatch[patchOfRow[row]!]).toBe(row);
    expect(patchOfRow[row]! % 4).toBe(row % 4);
    const [first, end] = spans.subarray(2 * row, 2 * row + 2);
    const inside = [...patchOfRow.keys()].filter(
      (other) => windowOf(patchOfRow[other]!) === windowOf(patchOfRow[row]!),
    );
    expect([first, end]).toEqual([inside[0], inside.at(-1)! + 1]);
    expect(inside.length).toBe(end! - first!);
  }
});
