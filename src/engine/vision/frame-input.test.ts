// Frame input on the GPU against Pillow's resize, written plainly in testing/pillow.ts, over awkward sizes.

import { describe, expect, it } from 'vitest';
import type { RgbFrame } from '../contract';
import { InvalidInputError } from '../errors';
import { compileKernel, type Kernel } from '../gpu/kernel';
import { Ledger } from '../gpu/ledger';
import { bind } from '../gpu/program';
import { download, testGpu } from '../gpu/testing/harness';
import { frameGrid } from './frame-grid';
import { FrameInput, frameSlot, frameWords, planFrames } from './frame-input';
import { centreCrop } from './frame-window';
import type { Filter } from './hyper';
import { testPicture } from './testing/pictures';
import { cropFrame, patchify, resizeFrame } from './testing/pillow';

const SLOTS = 2;
const MAX_ROWS = 400;

async function openInput(width: number, height: number, filter: Filter = 'bicubic') {
  const gpu = await testGpu();
  const grid = frameGrid(width, height, 14, 2);
  const options = { grid, filter, slots: SLOTS, maxRows: MAX_ROWS, maxRgbPixels: 400 * 400 };
  const ledger = await Ledger.create(gpu.device, planFrames(options));
  const input = await FrameInput.create(gpu, ledger, options);
  const read = async (slot: number) =>
    new Uint8Array((await download(gpu.device, ledger.get(frameSlot(slot)))).buffer);
  return { grid, input, read, ledger };
}

/** Mean and largest difference in levels of 255. */
function levels(a: Uint8Array, b: Uint8Array): { mean: number; worst: number } {
  expect(a.length).toBe(b.length);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  return {
    mean: differences.reduce((sum, value) => sum + value, 0) / a.length,
    worst: differences.reduce((worst, value) => Math.max(worst, value), 0),
  };
}

describe('frame input', () => {
  const cases: [string, number, number, number, number][] = [
    ['shrinks', 320, 180, 112, 84],
    ['shrinks a tall picture', 101, 389, 56, 112],
    ['shrinks a wide picture', 397, 61, 112, 56],
    ['enlarges', 33, 21, 112, 84],
    ['enlarges a single pixel', 1, 1, 56, 28],
    ['enlarges rows and shrinks nothing', 84, 31, 84, 56],
    ['shrinks by almost nothing', 113, 85, 112, 84],
    ['shrinks by 14', 393, 392, 28, 28],
  ];
  describe.each<Filter>(['bicubic', 'lanczos'])('%s', (filter) => {
    it.each(cases)(
      '%s: %i × %i to %i × %i like Pillow',
      async (_, width, height, modelWidth, modelHeight) => {
        const { grid, input, read, ledger } = await openInput(modelWidth, modelHeight, filter);
        const picture = testPicture(width, height, 7);
        input.write(0, 'all', picture);
        const crop = centreCrop(picture, grid);
        const resized = resizeFrame(cropFrame(picture, crop), modelWidth, modelHeight, filter);
        const wanted = patchify(resized, grid);
        const got = await read(0);
        for (const half of [0, 1]) {
          const { mean, worst } = levels(
            got.subarray(half * wanted.length, (half + 1) * wanted.length),
            wanted,
          );
          // One level off where f32 and f64 fall on different sides of a half; nothing else.
          expect(mean).toBeLessThan(0.01);
          expect(worst).toBeLessThanOrEqual(1);
        }
        ledger.dispose();
      },
    );
  });

  it('leaves a frame of the model size as it is', async () => {
    const { grid, input, read, ledger } = await openInput(84, 56);
    const picture = testPicture(84, 56, 3);
    input.write(1, 'all', picture);
    const wanted = patchify(picture, grid);
    expect(levels((await read(1)).subarray(0, wanted.length), wanted).worst).toBe(0);
    ledger.dispose();
  });

  it('fills the halves of a slot one by one and leaves other slots alone', async () => {
    const { grid, input, read, ledger } = await openInput(56, 56);
    const [first, second] = [testPicture(56, 56, 1), testPicture(56, 56, 2)];
    input.write(1, 1, second);
    input.write(1, 0, first);
    const got = await read(1);
    expect(got.subarray(0, frameWords(grid) * 4)).toEqual(patchify(first, grid));
    expect(got.subarray(frameWords(grid) * 4)).toEqual(patchify(second, grid));
    expect((await read(0)).every((byte) => byte === 0)).toBe(true);
    ledger.dispose();
  });

  it('names what is wrong with a frame', async () => {
    const { input, ledger } = await openInput(56, 56);
    const frame = (width: number, height: number, bytes = width * height * 3): RgbFrame => ({
      width,
      height,
      data: new Uint8Array(bytes),
    });
    const write = (picture: RgbFrame) => () => input.write(0, 0, picture);
    expect(write(frame(0, 10))).toThrow(/empty/);
    expect(write(frame(399, 401))).not.toThrow();
    expect(write(frame(401, 401))).toThrow(/at most 400 rows/);
    expect(write(frame(500, 399))).toThrow(/at most 160000 pixels/);
    expect(write(frame(10, 10, 299))).toThrow(/needs 300 bytes, but has 299/);
    expect(write(frame(0, 0))).toThrow(InvalidInputError);
    ledger.dispose();
  });

  // What it computes is compared in a browser, which has video frames: video-frame.test.ts.
  it('the first pass for video frames compiles, and binds a texture where that for bytes binds a buffer', async () => {
    const { device } = await testGpu();
    const constants = { out_width: 56 };
    const [video, bytes] = await Promise.all(
      [true, false].map((external) =>
        compileKernel(device, { module: 'frame_columns', conditions: { external }, constants }),
      ),
    );
    expect(video!.bindings).toEqual(bytes!.bindings);
    const buffer = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM });
    const bindings = { window: buffer, source: buffer, columns: buffer };
    const refusal = async (kernel: Kernel) => {
      device.pushErrorScope('validation');
      bind(device, kernel, bindings);
      return (await device.popErrorScope())?.message ?? 'taken';
    };
    expect(await refusal(bytes!)).toBe('taken');
    expect(await refusal(video!)).toContain('external');
    buffer.destroy();
  });
});

describe('centreCrop', () => {
  it('takes the largest centred part of the aspect', () => {
    const target = { width: 448, height: 336 };
    expect(centreCrop({ width: 1920, height: 1080 }, target)).toEqual({
      left: 240,
      top: 0,
      width: 1440,
      height: 1080,
    });
    expect(centreCrop({ width: 1080, height: 1920 }, target)).toEqual({
      left: 0,
      top: 555,
      width: 1080,
      height: 810,
    });
    expect(centreCrop({ width: 1, height: 900 }, target)).toMatchObject({ width: 1, height: 1 });
  });
});

describe('frameGrid', () => {
  it('counts patches and tokens', () => {
    expect(frameGrid(84, 56, 14, 2)).toMatchObject({ patchRows: 4, patchCols: 6, patches: 24, tokens: 6 });
  });

  it('asks for multiples', () => {
    expect(() => frameGrid(100, 56, 14, 2)).toThrow(/multiples of 28/);
  });
});
