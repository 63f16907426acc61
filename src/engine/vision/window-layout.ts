// The order in which an encoder with window attention holds its patches (Qwen2.5-VL, arXiv 2502.13923): window after
// window, so that the patches that attend to each other are neighbours.

import type { FrameGrid } from './frame-grid';

/** Windows row-major, merge blocks row-major within them; a block's patches stay together. */
export interface WindowLayout {
  /** The patch that stands in each row, `[patches]`. */
  readonly patchOfRow: Uint32Array<ArrayBuffer>;
  /** The row of each patch, `[patches]`. */
  readonly rowOfPatch: Uint32Array<ArrayBuffer>;
  /** The rows of each row's window, `[patches, 2]`: the first, and the one behind the last. */
  readonly spans: Uint32Array<ArrayBuffer>;
}

/** @param pixels side of a window, a multiple of a merge block's; at the right and bottom edges they may be smaller. */
export function windowLayout(
  { patches, patchSize, mergeSize, tokenRows, tokenCols }: FrameGrid,
  pixels: number,
): WindowLayout {
  const side = pixels / (patchSize * mergeSize);
  const inBlock = mergeSize ** 2;
  const patchOfRow = new Uint32Array(patches);
  const rowOfPatch = new Uint32Array(patches);
  const spans = new Uint32Array(2 * patches);
  let row = 0;
  for (let top = 0; top < tokenRows; top += side) {
    for (let left = 0; left < tokenCols; left += side) {
      const first = row;
      for (let y = top; y < Math.min(top + side, tokenRows); y++) {
        for (let x = left; x < Math.min(left + side, tokenCols); x++) {
          for (let i = 0; i < inBlock; i++, row++) {
            const patch = (y * tokenCols + x) * inBlock + i;
            patchOfRow[row] = patch;
            rowOfPatch[patch] = row;
          }
        }
      }
      for (let i = first; i < row; i++) spans.set([first, row], 2 * i);
    }
  }
  return { patchOfRow, rowOfPatch, spans };
}
