// The whole engine against Hugging Face transformers on small random checkpoints of the true architecture:
// logits of the prompt's last position and 24 greedy tokens. (Visual tokens: `vision/encoder.test.ts`.)

import { describe, expect, it } from 'vitest';
import type { RgbFrame } from './contract';
import { downloadFloats, maxDifference, testGpu } from './gpu/testing/harness';
import { loadModel, type Model } from './model';
import { continueGreedily, type PromptRun, promptRuns, runPrompt, type See, seeFrames } from './prompt';
import { type Case, type Fixture, fixtureFiles, fixtures, type Medium } from './testing/fixtures';
import { TOLERANCE } from './testing/tolerance';

async function load(fixture: Fixture, test: Case, precision: 'f32' | 'f16'): Promise<Model> {
  const [, rows, columns] = test.media[0]?.grid ?? [1, fixture.mergeSize, fixture.mergeSize];
  return loadModel(await testGpu(), {
    ...(await fixtureFiles(fixture.name)),
    frame: { width: columns * fixture.patchSize, height: rows * fixture.patchSize },
    visualTokens: 2 * rows * columns,
    textTokens: test.ids.length + 32,
    maxRgbPixels: rows * columns * fixture.patchSize ** 2,
    precision,
    still: test.media.every(({ kind }) => kind === 'image'),
  });
}

/** Runs of a case, whatever the sizes of its pictures. */
function runsOf(fixture: Fixture, { ids, media }: Case): PromptRun[] {
  const runs: PromptRun[] = [];
  let at = 0;
  for (const { kind, grid, start, visualTokens } of media) {
    if (start > at) runs.push({ kind: 'text', ids: ids.slice(at, start) });
    const [time, rows, columns] = grid;
    const side = fixture.mergeSize * (kind === 'video' ? fixture.videoPooling : 1);
    runs.push({ kind, time, rows: Math.ceil(rows / side), columns: Math.ceil(columns / side) });
    at = start + visualTokens.length / fixture.hiddenSize;
  }
  if (at < ids.length) runs.push({ kind: 'text', ids: ids.slice(at) });
  return runs;
}

/** Runs whose videos have the times of the case's. */
function timed({ framesPerPatch }: Fixture, runs: readonly PromptRun[], { media }: Case): PromptRun[] {
  // Where times are text, each temporal patch of a video is a run.
  const owners = media.flatMap((medium) => Array<Medium>(medium.grid[0]).fill(medium));
  return runs.map((run) => {
    if (run.kind === 'text') return run;
    const [medium] = owners.splice(0, run.time);
    return { ...run, secondsPerPatch: framesPerPatch / medium!.framesPerSecond };
  });
}

/** Frames of a medium; the last of an odd number stands for the one that is missing. */
function wholePatches({ framesPerPatch }: Fixture, { kind, frames }: Medium): readonly RgbFrame[] {
  return kind === 'video' && frames.length % framesPerPatch === 1 ? [...frames, frames.at(-1)!] : frames;
}

/**
 * A model is loaded for one frame size, and for video or still pictures; where a prompt has pictures of several,
 * their golden visual tokens are put in the decoder's input instead.
 */
function seeGolden(model: Model, { media }: Case): See {
  return (visual, time) => {
    const { visualTokens, grid } = media[visual]!;
    const size = visualTokens.length / grid[0];
    model.gpu.device.queue.writeBuffer(model.decoder.input, 0, visualTokens, time * size, size);
    return () => {};
  };
}

async function run(fixture: Fixture, test: Case, precision: 'f32' | 'f16') {
  const model = await load(fixture, test, precision);
  try {
    const [first] = test.media;
    const oneSize = test.media.every(
      ({ kind, grid }) =>
        grid[1] === first!.grid[1] &&
        grid[2] === first!.grid[2] &&
        (fixture.videoPooling === 1 || kind === first!.kind),
    );
    const runs = timed(
      fixture,
      oneSize ? promptRuns(test.ids, fixture.pads, model.grid, model.video.ended) : runsOf(fixture, test),
      test,
    );
    const see = oneSize
      ? seeFrames(
          model,
          runs,
          test.media.flatMap((medium) => wholePatches(fixture, medium)),
        )
      : seeGolden(model, test);
    const end = await runPrompt(model, runs, see);
    const logits = await downloadFloats(model.gpu.device, model.ledger.get('decoder.logits'));
    return { logits, ids: await continueGreedily(model, end, test.greedyIds.length) };
  } finally {
    model.dispose();
  }
}

for (const fixture of fixtures()) {
  describe(fixture.name, () => {
    for (const test of fixture.cases) {
      it(`${test.name}: f32`, async () => {
        const { logits, ids } = await run(fixture, test, 'f32');
        expect(maxDifference(logits, test.lastLogits)).toBeLessThan(TOLERANCE.logitsF32);
        expect(ids).toEqual(test.greedyIds);
      });
    }

    // One case a checkpoint at the precision that sessions run in: half-precision cache, and tiles where there are any.
    const test = fixture.cases.at(-1)!;
    it(`${test.name}: as sessions run it`, async () => {
      const { features } = await testGpu();
      const { logits, ids } = await run(fixture, test, 'f16');
      const difference = maxDifference(logits, test.lastLogitsF16Cache);
      expect(difference).toBeLessThan(features.f16 ? TOLERANCE.logitsF16 : TOLERANCE.logitsF16Cache);
      if (!features.f16) expect(ids).toEqual(test.greedyIds);
    });
  });
}
