// The encoder from frames to visual tokens, against transformers on small random checkpoints.

import { describe, expect, it } from 'vitest';
import { openModelFile } from '../gguf/model-file';
import { Ledger } from '../gpu/ledger';
import { storage } from '../gpu/memory-plan';
import { submit } from '../gpu/program';
import { downloadFloats, maxDifference, testGpu } from '../gpu/testing/harness';
import { WeightPlan } from '../gpu/weights';
import { familyOf } from '../models';
import { planVisionWeights, readPositions, readVisionHyper } from '../models/vision-file';
import { fixtureFiles, fixtures, type Medium } from '../testing/fixtures';
import { TOLERANCE } from '../testing/tolerance';
import { planVision, VisionEncoder } from './encoder';
import { frameGrid } from './frame-grid';
import { FrameInput, planFrames } from './frame-input';

/** Slot the frames pass through: not the first, so that slots are told apart. */
const SLOT = 1;

/** Visual tokens of all temporal patches of a medium, then what goes to each of the decoder's first layers. */
async function encode(fixtureName: string, { kind, frames }: Medium, f16 = false): Promise<Float32Array[]> {
  const gpu = await testGpu();
  const { device } = gpu;
  const file = await openModelFile((await fixtureFiles(fixtureName)).mmproj);
  const hyper = readVisionHyper(file, familyOf(file).vision(file.metadata));
  const { width, height } = frames[0]!;
  const pooling = kind === 'video' ? hyper.videoPooling : 1;
  const grid = frameGrid(width, height, hyper.patchSize, hyper.mergeSize, hyper.framesPerPatch, pooling);
  const outputs = ['tokens', ...(hyper.deepstackBlocks ?? []).map((block) => `features.${block}`)];
  const plan = new WeightPlan(file, device.limits.maxStorageBufferBindingSize);
  const weights = planVisionWeights(file, plan, hyper);
  const frameOptions = { grid, slots: 2, maxRows: height, maxRgbPixels: width * height };
  const ledger = await Ledger.create(device, [
    ...plan.specs,
    ...planFrames(frameOptions),
    ...planVision(hyper, grid),
    ...outputs.map((name) => storage(name, 'activations', grid.tokens * hyper.outputWidth)),
  ]);
  await plan.upload(device, ledger, () => {});
  const input = await FrameInput.create(gpu, ledger, frameOptions);
  const [tokens, ...features] = outputs.map((name) => ledger.get(name));
  const positions = await readPositions(file, hyper, grid);
  const matmul = { kernels: gpu.kernels, f16 };
  const encoder = await VisionEncoder.create(gpu, ledger, {
    ...{ hyper, grid, weights, slots: 2, tokens: tokens!, features, positions, matmul },
  });

  const all = outputs.map((): number[] => []);
  for (let i = 0; i < frames.length; i += grid.framesPerPatch) {
    const [first, second] = frames.slice(i, i + grid.framesPerPatch);
    input.write(SLOT, 'all', first!);
    if (second) input.write(SLOT, 1, second);
    submit(device, 'encode', (pass) => encoder.record(pass, SLOT));
    for (const [i, name] of outputs.entries())
      all[i]!.push(...(await downloadFloats(device, ledger.get(name))));
  }
  ledger.dispose();
  return all.map((values) => new Float32Array(values));
}

const media = fixtures().flatMap(({ name, cases }) =>
  cases.flatMap((test) =>
    test.media.map((medium, i) => ({ name: `${name}, ${test.name}, medium ${i}`, fixture: name, medium })),
  ),
);

describe('visual tokens against transformers', () => {
  it.each(media)('$name', async ({ name, fixture, medium }) => {
    const got = await encode(fixture, medium);
    const differences = [medium.visualTokens, ...medium.features].map((wanted, i) =>
      maxDifference(got[i]!, wanted),
    );
    console.log(`${name}: largest difference ${Math.max(...differences).toExponential(1)}`);
    expect(got.length).toBe(differences.length);
    for (const difference of differences) expect(difference).toBeLessThan(TOLERANCE.visualTokensF32);
  });

  it('in half-precision tiles', async (test) => {
    test.skip(!(await testGpu()).features.f16, 'no shader-f16');
    const { fixture, medium } = media[0]!;
    const [tokens] = await encode(fixture, medium, true);
    const difference = maxDifference(tokens!, medium.visualTokens);
    expect(difference).toBeLessThan(TOLERANCE.visualTokensF16);
  });
});
