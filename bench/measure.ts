// Timing of GPU work, from an idle queue until the queue says that everything submitted is done; and what is garbage.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Milliseconds until what `run` submits is done, and what it returned. */
export async function timed<T>(
  device: GPUDevice,
  run: () => T | Promise<T>,
): Promise<{ ms: number; made: T }> {
  await device.queue.onSubmittedWorkDone();
  const start = performance.now();
  const made = await run();
  await device.queue.onSubmittedWorkDone();
  return { ms: performance.now() - start, made };
}

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The middle one of many values, with the 95 % confidence interval that their order alone gives. */
export interface Median {
  readonly middle: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The median with its interval: how many of n values lie below the true one is binomial, about n/2 ± 1.96 · √n/2,
 * whatever the values' distribution. Below six values the interval is their range, and covers less than 95 %.
 */
export function medianInterval(values: readonly number[]): Median {
  const sorted = [...values].sort((a, b) => a - b);
  const below = Math.max(0, Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length)));
  return { middle: median(sorted), low: sorted[below]!, high: sorted[sorted.length - 1 - below]! };
}

/** How long a batch of repetitions should last: short, so that on a busy machine some batches run undisturbed. */
const BATCH_MS = 20;
const MAX_REPETITIONS = 500;
/** Batches are timed until there are so many, or for so long. */
const MAX_BATCHES = 30;
const TIME_MS = 1000;

/**
 * Milliseconds of one repetition in the fastest of a few batches: other programs on the machine only ever add.
 * @param submit submits that many repetitions.
 */
export async function fastest(device: GPUDevice, submit: (repetitions: number) => void): Promise<number> {
  await timed(device, () => submit(1)); // some drivers compile at the first run
  const single = (await timed(device, () => submit(1))).ms;
  const repetitions = Math.max(1, Math.min(MAX_REPETITIONS, Math.round(BATCH_MS / single)));
  const batches: number[] = [];
  for (let spent = single; batches.length === 0 || (spent < TIME_MS && batches.length < MAX_BATCHES); ) {
    const { ms } = await timed(device, () => submit(repetitions));
    batches.push(ms / repetitions);
    spent += ms;
  }
  return Math.min(...batches);
}

/** Else the heap holds whatever garbage nobody needed the room of yet. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
