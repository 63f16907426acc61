// What is compared: cells of a method and a budget, and which runs (a cell over an exam) they come to.
// Pure arithmetic.

import { RETENTIONS, type RetentionChoice } from '../cli/retention';
import type { PositionPolicy } from '../src/engine/contract';
import { MIN_FRAMES } from '../src/engine/memory/budget';
import { POLICIES } from '../src/engine/memory/policies';

/** A retention choice and a position policy. */
export interface Method extends RetentionChoice {
  /** As `retention`; followed by `@absolute` where positions are. */
  readonly name: string;
  /** The retention choice's name. */
  readonly retention: string;
  readonly positions: PositionPolicy;
}

/** All there is to compare. */
export const METHODS: readonly Method[] = RETENTIONS.flatMap((how) => [
  { ...how, retention: how.name, positions: 'rebased' },
  { ...how, retention: how.name, name: `${how.name}@absolute`, positions: 'absolute' },
]);

/** A budget as it is named: a share of a stream's visual tokens (`1/4`), or so many tokens (`1024`). */
export interface NamedBudget {
  readonly name: string;
  /** 0 to 1; absent for a number of tokens. */
  readonly share?: number;
}

export interface Cell {
  readonly method: Method;
  readonly budget: NamedBudget;
}

/** Reads `1`, `1/8` or a number of tokens above 1; undefined if it is neither. */
export function parseBudget(text: string): NamedBudget | undefined {
  const [, above, below = '1'] = text.match(/^([1-9]\d*)(?:\/([1-9]\d*))?$/) ?? [];
  const value = Number(above) / Number(below);
  if (Number.isNaN(value)) return undefined;
  if (value <= 1) return { name: value === 1 ? '1' : text, share: value };
  return text.includes('/') ? undefined : { name: text };
}

/**
 * A budget in tokens. A share comes to whole frames, and never to less than the two a ring must hold: a quarter of
 * eight frames is the smallest share that eight frames allow.
 * @param whole visual tokens of all frames.
 */
export function resolveBudget({ name, share }: NamedBudget, whole: number, tokensPerFrame: number): number {
  if (share === undefined) return Number(name);
  return Math.max(MIN_FRAMES, Math.floor((whole / tokensPerFrame) * share)) * tokensPerFrame;
}

/**
 * The cells of some methods and budgets. With room for everything no policy lets go of a token, so that budget is
 * measured once, as `full`; and `full` is measured with no other, for it would refuse frames.
 */
export function cellsOf(methods: readonly Method[], budgets: readonly NamedBudget[]): Cell[] {
  const wanted = new Set(methods.map(({ positions }) => positions));
  const full = METHODS.filter(({ how, positions }) => how.policy === 'full' && wanted.has(positions));
  const pruning = methods.filter(({ how }) => POLICIES[how.policy].plan);
  return budgets.flatMap((budget) =>
    (budget.share === 1 ? full : pruning).map((method) => ({ method, budget })),
  );
}

/** Part `index` (1 to `of`) of a list, dealt out like cards so that long and short ones spread evenly. */
export function shard<Item>(
  items: readonly Item[],
  { index, of }: { index: number; of: number },
): readonly Item[] {
  return items.filter((_, i) => i % of === index - 1);
}
