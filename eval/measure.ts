// Measuring: one session, loaded once, sits exams in one cell after another.

import type { ModelFiles } from '../cli/model-files';
import { type EngineError, InvalidInputError, MemoryFullError } from '../src/engine/errors';
import { fingerprint } from '../src/engine/gguf/fingerprint';
import { openModelFile } from '../src/engine/gguf/model-file';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { sit } from './exam';
import type { PlannedRun } from './plan';
import { nameModel, type Result, type Run, type Setting } from './results';

/** Told of a run that was left out, and why. */
export type Skipped = (run: Run, error: EngineError) => void;

/**
 * Loads the model once and does the runs in order.
 * @param maxRgbPixels of the largest frame.
 * @param onSkipped of runs that their exam does not allow: its video cannot be read, a question has no room. If it is
 *   left out, such a run ends the measurement.
 */
export async function* measure(
  files: ModelFiles,
  setting: Setting,
  runs: readonly PlannedRun[],
  maxRgbPixels: number,
  onSkipped?: Skipped,
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
      const sitting = await sit(session, exam).catch((error: unknown) => {
        if (!onSkipped || !isExamsFault(error)) throw error;
        onSkipped(run, error);
      });
      if (sitting) yield { ...setting, ...run, ...sitting };
    }
  } finally {
    session.dispose();
  }
}

/** Whether the session can go on after an error; after a failure of the GPU it cannot. */
function isExamsFault(error: unknown): error is EngineError {
  return error instanceof InvalidInputError || error instanceof MemoryFullError;
}

/** Tells a model from any other, its weights from those before more training, and how it is fed. */
export async function modelName({ model, mmproj, ...fed }: ModelFiles): Promise<string> {
  const whole = await fingerprint([await openModelFile(model), await openModelFile(mmproj)]);
  return nameModel(whole.slice(0, 12), fed);
}
