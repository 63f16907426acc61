// From results to tables and the plot.
import { expect, it } from 'vitest';
import type { Answer } from './exam';
import { wilson } from './interval';
import { plot } from './plot';
import { budgetsOf, DEFAULT_SHARES, markdown, scoresOf } from './report';
import type { Result } from './results';

const answer = (tense: Answer['tense'], right: boolean, ago?: number): Answer => ({
  type: tense === 'past' ? 'first' : 'see',
  tense,
  ago,
  question: '?',
  answer: '.',
  right,
});

/** A result of a stream of so many frames of 16 tokens. */
function result(method: string, frames: number, budgetFrames: number, answers: readonly Answer[]): Result {
  const setting = {
    suite: 's',
    model: 'm',
    tokensPerFrame: 16,
    pairs: frames,
    prunes: 0,
    watchMs: 0,
    askMs: 0,
  };
  const run = { exam: `${frames}s`, group: `${frames} s`, budget: budgetFrames * 16, whole: frames * 16 };
  return { ...setting, ...run, method, answers };
}

const results = [
  result('full', 8, 8, [answer('present', true), answer('past', true, 3), answer('past', true)]),
  result('full', 64, 64, [answer('present', true), answer('past', false, 63), answer('past', true)]),
  result('infinipot-v', 8, 2, [answer('present', true), answer('past', false, 3), answer('past', true)]),
  result('infinipot-v', 64, 4, [answer('present', false), answer('past', false, 63), answer('past', true)]),
];

it('counts by cell, tense, type, length and time', () => {
  const scores = scoresOf(results, DEFAULT_SHARES);
  const counts = (method: string, budget: string, by: string) =>
    scores
      .filter((score) => score.method === method && score.budget === budget && score.by === by)
      .map(({ tense, name, right, asked }) => `${tense} ${name} ${right}/${asked}`);
  expect(counts('full', '1', 'all')).toEqual(['present  2/2', 'past  3/4']);
  expect(counts('full', '1', 'group')).toEqual([
    'present 8 s 1/1',
    'past 8 s 2/2',
    'present 64 s 1/1',
    'past 64 s 1/2',
  ]);
  expect(counts('full', '1', 'ago')).toEqual(['past under 4 s 1/1', 'past 16 to 63 s 0/1']);
  expect(counts('infinipot-v', '1/16', 'type')).toEqual(['present see 1/2', 'past first 2/4']);
  // Two frames are a quarter of eight, and what an eighth and a sixteenth come to as well.
  expect(counts('infinipot-v', '1/4', 'all')).toEqual(['present  1/1', 'past  1/2']);
  expect(counts('infinipot-v', '1/2', 'all')).toEqual([]);
  for (const { right, asked, low, high } of scores) expect({ low, high }).toEqual(wilson(right, asked));
});

it('writes tables', () => {
  const text = markdown(
    scoresOf(
      results,
      DEFAULT_SHARES.filter(({ name }) => name === '1' || name === '1/16'),
    ),
  );
  expect(text).toContain(`### Questions about the past, by budget

Right answers in %, with 95 % confidence intervals. 4 questions a figure.

| policy | 1 | 1/16 |
| --- | --: | --: |
| full | 75.0 (30.1–95.4) |  |
| infinipot-v |  | 50.0 (15.0–85.0) |`);
  expect(text).toContain('| infinipot-v | 1/16 | 50.0 (9.5–90.5) of 2 | 50.0 (9.5–90.5) of 2 |'); // by length
  expect(text).not.toContain('Questions about the present, by time gone by');
  expect(text).not.toContain('by type'); // there is but one of each tense
});

it('says when runs are missing', () => {
  expect(markdown(scoresOf(results, DEFAULT_SHARES))).toContain(
    'From 2 to 4 questions a figure: not every run',
  );
});

it('reports data sets by tokens and without tenses', () => {
  const sets = results.map((one) => ({
    ...one,
    whole: undefined,
    answers: one.answers.map(({ type, right }) => ({ type, question: '?', answer: 'A', right })),
  }));
  expect(budgetsOf(results)).toEqual(DEFAULT_SHARES);
  expect(budgetsOf(sets).map(({ name }) => name)).toEqual(['1024', '128', '64', '32']);
  const text = markdown(scoresOf(sets, budgetsOf(sets)));
  expect(text).toContain('### All questions, by budget');
  expect(text).toContain('### All questions, by type');
  expect(text).not.toContain('undefined');
});

it('reports budgets that are none of the usual shares by their tokens', () => {
  const others = [
    result('infinipot-v', 64, 21, [answer('past', true)]), // a third
    result('infinipot-v', 8, 5, [answer('past', false)]),
    result('infinipot-v', 64, 5, [answer('past', true)]),
  ];
  const usual = DEFAULT_SHARES.map(({ name }) => name);
  const budgets = budgetsOf([...results, ...others]);
  expect(budgets.map(({ name }) => name)).toEqual([...usual, '336', '80']);
  const asked = scoresOf(others, budgets).filter(({ by }) => by === 'all');
  expect(asked.map(({ budget, asked }) => [budget, asked])).toEqual([
    ['336', 1],
    ['80', 2],
  ]);
});

it('compares position policies', () => {
  const absolute = results.map((one) => ({ ...one, method: `${one.method}@absolute` }));
  const scores = scoresOf([...results, ...absolute], DEFAULT_SHARES);
  const names = ['full', 'full@absolute', 'infinipot-v', 'infinipot-v@absolute'];
  const lines = markdown(scores).split('\n\n')[2]!.split('\n').slice(2);
  expect(lines.map((line) => line.split(' | ')[0])).toEqual(names.map((name) => `| ${name}`));
  const dotted = 'stroke-dasharray="2 3"';
  expect(plot(scores).split(dotted)).toHaveLength(4); // in two panels and the legend
  expect(plot(scoresOf(results, DEFAULT_SHARES))).not.toContain(dotted);
});

it('draws a panel a tense and a line a method', () => {
  const scores = scoresOf(results, DEFAULT_SHARES);
  const drawn = plot(scores);
  expect(drawn).toMatch(/^<svg [^>]*width="752" height="\d+"/);
  expect(drawn.match(/class="title"/g)).toHaveLength(2);
  expect(drawn.match(/>infinipot-v</g)).toHaveLength(1);
  expect(drawn).not.toMatch(/NaN|undefined|Infinity/);
  // A point for each cell of a method that prunes, and one in the legend.
  const cells = scores.filter(({ by, method }) => by === 'all' && method !== 'full').length;
  expect(drawn.match(/transform="translate\([\d. ]+\)" fill=/g)).toHaveLength(cells + 1);
  // Higher is better: full memory's line about the past at 75 % lies a quarter down the panel of 250.
  expect(drawn).toContain('M0 62.5h330');
  const opened = drawn.match(/<(?!\/|[^>]*\/>)/g)!.length;
  expect(drawn.match(/<\//g)).toHaveLength(opened);
});
