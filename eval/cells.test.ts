import { expect, it } from 'vitest';
import { POLICIES } from '../src/engine/memory/policies';
import { cellsOf, METHODS, type Method, parseBudget, resolveBudget, shard } from './cells';
import type { Exam } from './exam';
import { type PlannedRun, planRuns } from './plan';
import { runKey } from './results';

const method = (name: string) => METHODS.find((one) => one.name === name)!;

it('reads shares and numbers of tokens, and nothing else', () => {
  expect(['1', '1/1', '1/4', '3/4', '2', '1024'].map(parseBudget)).toEqual([
    { name: '1', share: 1 },
    { name: '1', share: 1 },
    { name: '1/4', share: 0.25 },
    { name: '3/4', share: 0.75 },
    { name: '2' },
    { name: '1024' },
  ]);
  for (const text of ['', '0', '1/0', '-1', '0.5', '5/4', '2/1', 'all', '1/4 ']) {
    expect(parseBudget(text)).toBeUndefined();
  }
});

it('turns shares into whole frames, two at least', () => {
  const tokens = (text: string, frames: number) => resolveBudget(parseBudget(text)!, frames * 16, 16);
  expect([tokens('1', 8), tokens('1/2', 9), tokens('1/4', 8), tokens('1/16', 8)]).toEqual([128, 64, 32, 32]);
  expect(resolveBudget(parseBudget('100')!, 0, 16)).toBe(100);
});

it('has every policy, and again with pooling where it pools and unrotated keys where it compares keys', () => {
  expect(new Set(METHODS.map(({ how }) => how.policy))).toEqual(new Set(Object.keys(POLICIES)));
  const rebased = METHODS.filter(({ positions }) => positions === 'rebased');
  const names = (methods: readonly Method[]) => methods.map(({ name }) => name);
  expect(names(rebased.filter(({ how }) => how.pooling))).toEqual([
    'van+pooling',
    'infinipot-v+pooling',
    'infinipot-v+pooling+unrotated',
  ]);
  expect(names(rebased.filter(({ how }) => how.tarKeys === 'unrotated'))).toEqual([
    'tar+unrotated',
    'infinipot-v+unrotated',
    'infinipot-v+pooling+unrotated',
  ]);
});

it('measures everything in memory once, and full memory with nothing less', () => {
  const budgets = [parseBudget('1')!, parseBudget('1/2')!];
  const names = (methods: readonly Method[]) =>
    cellsOf(methods, budgets).map((cell) => `${cell.method.name} ${cell.budget.name}`);
  const rebased = METHODS.filter(({ positions }) => positions === 'rebased');
  expect(names(rebased)).toEqual(['full 1', ...rebased.slice(1).map(({ name }) => `${name} 1/2`)]);
  expect(names([method('tar@absolute')])).toEqual(['full@absolute 1', 'tar@absolute 1/2']);
  expect(cellsOf([method('full')], [parseBudget('1/2')!])).toEqual([]);
});

const exams = [8, 128].map(
  (seconds): Exam => ({
    name: `${seconds}s`,
    group: '',
    framesPerSecond: 2,
    questions: [],
    async *frames() {},
  }),
);
const cells = cellsOf(
  [method('sliding-window'), method('infinipot-v')],
  ['1', '1/4', '1/8', '1/16'].map((text) => parseBudget(text)!),
);
const runs = planRuns(exams, cells, 16, ({ name }) => Number.parseInt(name, 10) * 16);

it('plans one run where budgets come to the same tokens', () => {
  const budgets = (exam: Exam) => runs.filter((one) => one.exam === exam).map(({ run }) => run.budget);
  expect(budgets(exams[0]!)).toEqual([128, 32, 32]);
  expect(budgets(exams[1]!)).toEqual([2048, 512, 512, 256, 256, 128, 128]);
});

it('deals every run to exactly one shard', () => {
  const parts = [1, 2, 3].map((index) => shard(runs, { index, of: 3 }));
  expect(parts.map(({ length }) => length)).toEqual([4, 3, 3]);
  const keys = (planned: readonly PlannedRun[]) => planned.map(({ run }) => runKey(run)).sort();
  expect(keys(parts.flat())).toEqual(keys(runs));
});
