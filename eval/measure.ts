// Measuring: one session, loaded once, sits exams in one cell after another.

import { createHash } from 'node:crypto';
import type { ModelFiles } from '../cli/model-files';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { sit } from './exam';
import type { PlannedRun } from './plan';
import type { Result, Setting } from './results';

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
    memory: { capacityTokens: Math.max(...runs.map(({ budget }) => budget)) },
  });
  try {
    for (const { sat, kept, ...run } of runs) {
      const { policy, pooling, positions } = kept;
      session.configure({ policy, pooling, positions, budget: { tokens: run.budget } });
      yield { ...setting, ...run, ...(await sit(session, sat)) };
    }
  } finally {
    session.dispose();
  }
}

/** Bytes of a model file read at a time. */
const CHUNK_BYTES = 1 << 24;

/** Tells a model's files from any others. */
export async function modelFingerprint({ model, mmproj }: ModelFiles): Promise<string> {
  const hash = createHash('sha256');
  for (const source of [model, mmproj] satisfies ByteSource[]) {
    for (let at = 0; at < source.size; at += CHUNK_BYTES) {
      hash.update(await source.read(at, Math.min(CHUNK_BYTES, source.size - at)));
    }
  }
  return hash.digest('hex').slice(0, 12);
}
