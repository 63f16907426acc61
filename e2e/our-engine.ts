// Our engine in Node, through the command line.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '..');

/** The command line's `logits`, in full precision. */
export async function ourLogits(prompt: {
  /** Paths of the two GGUF files, and of a uint8 array `[frames, height, width, 3]`. */
  readonly model: string;
  readonly mmproj: string;
  readonly frames: string;
  readonly ids: readonly number[];
  readonly tokens: number;
}): Promise<{ readonly logits: readonly number[]; readonly ids: readonly number[] }> {
  const { model, mmproj, frames, ids, tokens } = prompt;
  const files = ['--model', model, '--mmproj', mmproj, '--frames', frames];
  const counts = ['--prompt-ids', ids.join(), '--tokens', String(tokens)];
  const run = promisify(execFile)(
    process.execPath,
    ['cli/run.mjs', 'logits', ...files, ...counts, '--json'],
    { cwd: ROOT, maxBuffer: 2 ** 26 },
  );
  return JSON.parse((await run).stdout.trim().split('\n').at(-1)!);
}

/** Log-probability of a token, from the logits of all. */
export function logProbability(logits: readonly number[], id: number): number {
  const highest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
  return logits[id]! - highest - Math.log(sum);
}
