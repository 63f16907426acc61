// Measuring: one session, loaded once, sits exams in one cell after another.

import type { ModelFiles } from '../cli/model-files';
import { fingerprint } from '../src/engine/gguf/fingerprint';
import { openModelFile } from '../src/engine/gguf/model-file';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { sit } from './exam';
import type { PlannedRun } from './plan';
import { nameModel, type Result, type Setting } from './results';

/**
 * Loads the model once and does the runs in order.
 * @param maxRgbPixels of the largest frame.
 */
export async function* measure(
  files: ModelFiles,
  setting: Setting,
  runs: readonly PlannedRun[],
  maxRgbPixels: number,
): AsyncGenerator<Result, void> {
  if (runs.length === 0) return;
  const session = await createSession({
    ...files,
    gpu: await openNodeGpu(),
    maxRgbPixels,
    memory: { capacityTokens: Math.max(...runs.map(({ run }) => run.budget)) },
  });
  try {
    for (const { run, exam, method } of runs) {
      session.configure({ ...method.how, positions: method.positions, budget: { tokens: run.budget } });
      yield { ...setting, ...run, ...(await sit(session, exam)) };
    }
  } finally {
    session.dispose();
  }
}

/** Tells a model from any other, its weights from those before more training, and how it is fed. */
export async function modelName({ model, mmproj, ...fed }: ModelFiles): Promise<string> {
  const whole = await fingerprint([await openModelFile(model), await openModelFile(mmproj)]);
  return nameModel(whole.slice(0, 12), fed);
}
