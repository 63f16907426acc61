// Pictures for tests: smooth waves, hard edges and noise, so that every fault of resampling shows.

import type { RgbFrame } from '../../contract';
import { randomFloats } from '../../gpu/testing/harness';

/** A deterministic RGB picture. */
export function testPicture(width: number, height: number, seed: number): RgbFrame {
  const noise = randomFloats(width * height * 3, seed);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const at = (y * width + x) * 3 + c;
        const wave = Math.sin((x * (c + 1) + y * (3 - c) + seed) / 9) * 60;
        const edge = (Math.floor(x / 11) + Math.floor(y / 7)) % 2 ? 90 : 0;
        data[at] = Math.max(0, Math.min(255, 90 + wave + edge + noise[at]! * 40));
      }
    }
  }
  return { width, height, data };
}
