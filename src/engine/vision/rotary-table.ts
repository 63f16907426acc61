// Angles of the encoder's 2-D rotary embedding, as transformers' VisionRotaryEmbedding has them: the first
// half of the pairs turns with the patch's row, the second with its column.

import type { PatchPlace } from './frame-grid';

const THETA = 10000;

/** `[patches, headDim / 2, 2]`: cosine and sine of each pair's angle. `headDim` is a multiple of 4. */
export function rotaryTable(places: readonly PatchPlace[], headDim: number): Float32Array<ArrayBuffer> {
  const quarter = headDim / 4;
  const table = new Float32Array(places.length * headDim);
  let at = 0;
  for (const { row, col } of places) {
    for (const place of [row, col]) {
      for (let i = 0; i < quarter; i++) {
        const angle = place * THETA ** (-i / quarter);
        table[at++] = Math.cos(angle);
        table[at++] = Math.sin(angle);
      }
    }
  }
  return table;
}
