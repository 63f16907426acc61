// What is to be done: every cell over every exam.

import { budgetTokens, type Cell, type Method } from './cells';
import type { Exam } from './exam';
import { type Run, runKey } from './results';

/** A run with the exam it is of and how memory is kept. */
export interface PlannedRun extends Run {
  readonly sat: Exam;
  readonly kept: Method;
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
  for (const sat of exams) {
    const whole = wholeOf?.(sat);
    for (const { method, budget } of cells) {
      const tokens = budgetTokens(budget, whole ?? 0, tokensPerFrame);
      const names = { exam: sat.name, group: sat.group, method: method.name };
      const run = { ...names, budget: tokens, whole, tokensPerFrame, sat, kept: method };
      runs.set(runKey(run), run);
    }
  }
  return [...runs.values()];
}
