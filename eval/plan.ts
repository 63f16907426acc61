// What is to be done: every cell over every exam.

import { type Cell, type Method, resolveBudget } from './cells';
import type { Exam } from './exam';
import { type Run, runKey } from './results';

/** A run with what its names stand for. */
export interface PlannedRun {
  readonly run: Run;
  readonly exam: Exam;
  readonly method: Method;
}

/**
 * Every cell over every exam, exams outermost. Where two budgets come to the same tokens for a short stream, there is
 * one run for both.
 * @param wholeOf visual tokens of all frames of an exam, where that is known beforehand.
 */
export function planRuns<One extends Exam>(
  exams: readonly One[],
  cells: readonly Cell[],
  tokensPerFrame: number,
  wholeOf?: (exam: One) => number,
): PlannedRun[] {
  const runs = new Map<string, PlannedRun>();
  for (const exam of exams) {
    const whole = wholeOf?.(exam);
    for (const { method, budget } of cells) {
      const tokens = resolveBudget(budget, whole ?? 0, tokensPerFrame);
      const names = { exam: exam.name, group: exam.group, method: method.name };
      const run = { ...names, budget: tokens, whole, tokensPerFrame };
      runs.set(runKey(run), { run, exam, method });
    }
  }
  return [...runs.values()];
}
