// From results to figures: accuracy of each cell, with its 95 % confidence interval, over all questions and apart by
// type, by length and by how long ago, as data and as Markdown.

import { type Cell, METHODS, type NamedBudget, parseBudget, resolveBudget } from './cells';
import type { Answer, Tense } from './exam';
import { wilson } from './interval';
import type { Result } from './results';

/** The shares of a stream's visual tokens that are compared unless others are asked for. */
export const DEFAULT_SHARES = ['1', '1/2', '1/4', '1/8', '1/16'].map((text) => parseBudget(text)!);

/** What a figure is apart by: nothing, the question's type, the exam's group, or how long ago. */
export type Dimension = 'all' | 'type' | 'group' | 'ago';

/** One figure. Shares are from 0 to 1; `low` and `high` bound the 95 % confidence interval. */
export interface Score {
  /** Name of the method: how memory and positions are kept. */
  readonly method: string;
  readonly budget: string;
  /** Absent where the questions have none. */
  readonly tense?: Tense;
  readonly by: Dimension;
  /** Which type, group or time; empty for all. */
  readonly name: string;
  readonly right: number;
  readonly asked: number;
  readonly low: number;
  readonly high: number;
}

/** Ends of the classes of how long ago, in seconds. */
const AGES = [
  { before: 4, name: 'under 4 s' },
  { before: 16, name: '4 to 15 s' },
  { before: 64, name: '16 to 63 s' },
  { before: Number.POSITIVE_INFINITY, name: '64 s or more' },
] as const;

/**
 * The budgets that results are reported by, so that none is left out: the usual shares where lengths of exams are
 * known, and then, largest first, each number of tokens that was measured and is none of these shares.
 */
export function budgetsOf(results: readonly Result[]): NamedBudget[] {
  const shares = results.some(({ whole }) => whole !== undefined) ? DEFAULT_SHARES : [];
  const others = results.filter((result) => !shares.some((share) => isUnder(result, share)));
  const tokens = distinct(others.map(({ budget }) => budget)).sort((a, b) => b - a);
  return [...shares, ...tokens.map((count) => ({ name: String(count) }))];
}

/** The figures of every cell that was measured, methods in the engine's order, budgets in the given one. */
export function scoresOf(results: readonly Result[], budgets: readonly NamedBudget[]): Score[] {
  return METHODS.flatMap((method) =>
    budgets.flatMap((budget) => {
      const measured = results.filter((result) => result.method === method.name && isUnder(result, budget));
      return scoresOfCell({ method, budget }, measured);
    }),
  );
}

/** A short stream's smallest shares may come to the same tokens; its one result then stands for all of them. */
function isUnder(result: Result, budget: NamedBudget): boolean {
  if (budget.share !== undefined && result.whole === undefined) return false;
  return result.budget === resolveBudget(budget, result.whole ?? 0, result.tokensPerFrame);
}

function scoresOfCell({ method, budget }: Cell, results: readonly Result[]): Score[] {
  const counts = new Map<string, Pick<Score, 'tense' | 'by' | 'name' | 'right' | 'asked'>>();
  const count = (tense: Tense | undefined, by: Dimension, name: string, right: boolean) => {
    const key = JSON.stringify([tense, by, name]);
    const so = counts.get(key) ?? { tense, by, name, right: 0, asked: 0 };
    counts.set(key, { ...so, right: so.right + Number(right), asked: so.asked + 1 });
  };
  for (const { group, answers } of results) {
    for (const answer of answers) {
      const { tense, type, right } = answer;
      count(tense, 'all', '', right);
      count(tense, 'type', type, right);
      count(tense, 'group', group, right);
      const age = ageOf(answer);
      if (age) count(tense, 'ago', age, right);
    }
  }
  return [...counts.values()].map((so) => ({
    method: method.name,
    budget: budget.name,
    ...so,
    ...wilson(so.right, so.asked),
  }));
}

function ageOf({ ago }: Answer): string | undefined {
  return ago === undefined ? undefined : AGES.find(({ before }) => ago < before)!.name;
}

/** The report as Markdown: accuracy over budget, then apart by group, time and type. */
export function markdown(scores: readonly Score[]): string {
  const tenses = tensesOf(scores);
  return [
    ...tenses.map((tense) => overBudget(scores, tense)),
    ...tenses.flatMap((tense) =>
      (['group', 'ago', 'type'] as const).map((by) => apart(scores, tense, by)).filter((text) => text),
    ),
  ].join('\n\n');
}

/** The tenses there are scores of; one that is undefined if questions have none. */
export function tensesOf(scores: readonly Score[]): (Tense | undefined)[] {
  return (['present', 'past', undefined] as const).filter((tense) =>
    scores.some((score) => score.tense === tense),
  );
}

/** `Questions about the past` */
export function tenseTitle(tense: Tense | undefined): string {
  return tense === undefined ? 'All questions' : `Questions about the ${tense}`;
}

/** Methods by budgets, in % with the interval. */
function overBudget(scores: readonly Score[], tense: Tense | undefined): string {
  const all = scores.filter((score) => score.tense === tense && score.by === 'all');
  const budgets = distinct(all.map(({ budget }) => budget));
  const rows = distinct(all.map(({ method }) => method)).map((method) => [
    method,
    ...budgets.map((budget) => {
      const score = all.find((candidate) => candidate.method === method && candidate.budget === budget);
      return score ? figure(score) : '';
    }),
  ]);
  const asked = all.map((score) => score.asked);
  const [fewest, most] = [Math.min(...asked), Math.max(...asked)];
  const counted =
    fewest === most
      ? `${most} questions a figure.`
      : `From ${fewest} to ${most} questions a figure: not every run is done.`;
  const about = `Right answers in %, with 95 % confidence intervals. ${counted}`;
  return `### ${tenseTitle(tense)}, by budget\n\n${about}\n\n${table(['policy', ...budgets], rows)}`;
}

const APART_TITLES = { group: 'length', ago: 'time gone by', type: 'type' } as const;

/** Cells by types, groups or times, in % with the interval and the number asked; empty if there is nothing to tell apart. */
function apart(scores: readonly Score[], tense: Tense | undefined, by: keyof typeof APART_TITLES): string {
  const figures = scores.filter((score) => score.tense === tense && score.by === by);
  const found = distinct(figures.map(({ name }) => name));
  const names = by === 'ago' ? AGES.map(({ name }) => name).filter((name) => found.includes(name)) : found;
  if (names.length < 2) return '';
  const cells = distinct(figures.map(({ method, budget }) => `${method} ${budget}`));
  const rows = cells.map((cell) => [
    ...cell.split(' '),
    ...names.map((name) => {
      const score = figures.find((so) => `${so.method} ${so.budget}` === cell && so.name === name);
      return score ? `${figure(score)} of ${score.asked}` : '';
    }),
  ]);
  const title = `### ${tenseTitle(tense)}, by ${APART_TITLES[by]}`;
  return `${title}\n\nRight answers in % (95 % confidence interval) of so many asked.\n\n${table(['policy', 'budget', ...names], rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** `47.4 (39.8–55.2)` */
function figure({ right, asked, low, high }: Score): string {
  return `${percent(right / asked)} (${percent(low)}–${percent(high)})`;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function distinct<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
