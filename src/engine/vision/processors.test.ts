// Frame input on the GPU against image processors of transformers, for pictures of odd sizes, smaller and larger
// than what a model sees.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { Ledger } from '../gpu/ledger';
import { download, testGpu } from '../gpu/testing/harness';
import { frameGrid } from './frame-grid';
import { FrameInput, frameSlot, planFrames } from './frame-input';
import type { Filter } from './hyper';
import { patchify } from './testing/pillow';

/** As reference/fixture_processors.py writes it; bytes in base64. */
interface Processed {
  readonly family: string;
  /** Where levels stand in patches; null where they are a picture. */
  readonly patchSize: number | null;
  readonly width: number;
  readonly height: number;
  readonly picture: string;
  readonly target: readonly [width: number, height: number];
  readonly levels: string;
}

const file = new URL('../../../reference/fixtures/processors.json.gz', import.meta.url);
const cases = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Processed[];
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

/** As models/ says it of each family. */
const FILTERS: Record<string, Filter> = { smolvlm: 'lanczos' };

it.each(cases)('$family: $width × $height to $target', async (processed) => {
  const { width, height, target, patchSize } = processed;
  const gpu = await testGpu();
  const grid = frameGrid(...target, patchSize ?? 14, 2);
  const filter = FILTERS[processed.family] ?? 'bicubic';
  const options = { grid, filter, slots: 1, maxRows: height, maxRgbPixels: width * height };
  const ledger = await Ledger.create(gpu.device, planFrames(options));
  const input = await FrameInput.create(gpu, ledger, options);
  input.write(0, 0, { width, height, data: bytes(processed.picture) });
  const levels = bytes(processed.levels);
  const wanted = patchSize ? levels : patchify({ width: target[0], height: target[1], data: levels }, grid);
  const got = new Uint8Array((await download(gpu.device, ledger.get(frameSlot(0)))).buffer);
  const differences = wanted.map((level, i) => Math.abs(level - got[i]!));
  // One level off where f32 and f64 fall on different sides of a half, as in frame-input.test.ts.
  expect(differences.reduce((sum, each) => sum + each, 0) / wanted.length).toBeLessThan(0.01);
  expect(differences.reduce((worst, each) => Math.max(worst, each), 0)).toBeLessThanOrEqual(1);
  ledger.dispose();
});
