// A small measurement from end to end: the bundled model on part of a stream, and on a data set made here.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readArguments } from '../cli/command';
import { main } from '../cli/main';
import { modelFiles } from '../cli/model-files';
import { complaints, printed } from '../cli/testing/output';
import { cellsOf, METHODS, parseBudget } from './cells';
import { evalCommand } from './command';
import { measure } from './measure';
import { planRuns } from './plan';
import type { Result } from './results';
import { readStreams, STREAM_FRAME_SIDE, STREAMS_FOLDER } from './streams';
import { npyBytes } from './testing/npy';

const folder = await mkdtemp(join(tmpdir(), 'measure-'));
afterAll(() => rm(folder, { recursive: true }));

it('watches a stream under two policies and asks', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the strips');
  const { exams } = await readStreams(STREAMS_FOLDER);
  const stream = exams[0]!;
  const present = stream.questions.find(({ type }) => type === 'exist')!;
  const past = stream.questions.find(({ tense }) => tense === 'past')!;
  const short = { ...stream, questions: [present, past] };
  const budgets = [parseBudget('1')!, parseBudget('1/4')!];
  const runs = planRuns(
    [short],
    cellsOf(
      METHODS.filter(({ name }) => name === 'infinipot-v+pooling'),
      budgets,
    ),
    16,
    ({ seconds }) => seconds * 16,
  );
  const results: Result[] = [];
  const files = await modelFiles(readArguments(evalCommand, []));
  for await (const result of measure(files, { suite: 's', model: 'm' }, runs, STREAM_FRAME_SIDE ** 2)) {
    results.push(result);
  }
  const seen = results.map(({ method, budget, pairs, prunes }) => [method, budget, pairs, prunes]);
  // With room for two frames of eight, each but the first two needs a prune.
  expect(seen).toEqual([
    ['full', 128, 8, 0],
    ['infinipot-v+pooling', 32, 8, 6],
  ]);
  for (const { answers, watchMs, askMs } of results) {
    expect(answers.map(({ tense }) => tense)).toEqual(['present', 'past']);
    const [now, before] = answers.map(({ answer }) => answer);
    expect(now).toMatch(/^(Yes|No), there is .*\.$/);
    expect(before).toMatch(/\w+\.$/);
    expect(answers.map(({ right }) => right)).toEqual([present.isRight(now!), past.isRight(before!)]);
    expect(Math.min(watchMs, askMs)).toBeGreaterThan(0);
  }
}, 900_000);

it('asks a data set, keeps the results and goes on from them', async () => {
  await writeFile(join(folder, 'there.npy'), npyBytes([3, 28, 28, 3]));
  const entry = {
    duration: 2,
    question: 'Is there a red heart?',
    candidates: ['Yes', 'No'],
    question_type: 'exist',
  };
  await writeFile(join(folder, 'broken.npy'), 'no array');
  const videos = ['broken.npy', 'there.npy', 'gone.mp4'];
  const set = videos.map((video) => ({ ...entry, video, answer: 'No' }));
  await writeFile(join(folder, 'set.json'), JSON.stringify(set));
  const out = join(folder, 'out.jsonl');
  const plot = join(folder, 'plot.svg');
  const argv = ['eval', '--dataset', join(folder, 'set.json'), '--videos', folder, '--budgets', '64'];
  const call = () => main([...argv, '--policies', 'sliding-window', '--out', out, '--plot', plot, '--json']);

  expect(await call()).toBe(0);
  expect(complaints.filter((line) => line.includes('pairs'))).toHaveLength(1);
  expect(printed[0]).toContain('### All questions, by budget');
  expect(printed[0]).toMatch(/\| sliding-window \| (100|0)\.0 \(/);
  expect(printed[1]).toMatch(/Skipped: 1 runs of broken.npy: broken.npy is not a .npy file/);
  expect(printed[2]).toContain('Skipped: 1 questions about 1 videos that are not there: gone.mp4');
  expect(JSON.parse(printed[3]!)[0]).toMatchObject({ method: 'sliding-window', budget: '64', asked: 1 });
  expect(await readFile(plot, 'utf8')).toContain('sliding-window');
  const kept = await readFile(out, 'utf8');
  expect(JSON.parse(kept)).toMatchObject({ exam: 'there.npy', pairs: 2, budget: 64, group: 'under 5 min' });

  for (const [option, value, message] of [
    ['--fps', '4', /holds answers to other .* at 2 fps, not .* at 4 fps/],
    ['--size', '224x112', /holds results of another model, or .*: [\w ]+, not \w+ 224x112[\w ]*\./],
  ] as const) {
    expect(await main([...argv, '--policies', 'sliding-window', '--out', out, option, value])).toBe(1);
    expect(complaints.at(-1)).toMatch(message);
  }
  expect(await readFile(out, 'utf8')).toBe(kept);

  const report = printed[0];
  printed.length = 0;
  complaints.length = 0;
  expect(await call()).toBe(0);
  expect(complaints).toHaveLength(2); // nothing was left to do but what cannot be done
  expect(complaints[0]).toMatch(/runs were done before$/);
  expect(complaints[1]).toMatch(/^1\/1 broken.npy sliding-window 64: skipped/);
  expect(printed[0]).toBe(report);
  expect(await readFile(out, 'utf8')).toBe(kept);
  expect(await main(['eval', '--report', out])).toBe(0);
  expect(printed.at(-1)).toBe(report);
}, 900_000);

for (const [argv, message] of [
  [['--policies', 'lru'], "--policies has 'lru'; choose of full"],
  [['--budgets', '2/1'], "--budgets has '2/1'; give shares"],
  [['--policies', 'full', '--budgets', '1/2'], 'with less than everything. Add the budget 1, or policies.'],
  [['--dataset', 'x.json', '--policies', 'full'], 'with less than everything. Add policies.'],
  [['--lengths', '9'], "--lengths has '9'; choose of 8, 16"],
  [['--positions', 'relative'], "--positions has 'relative'; choose of absolute and rebased."],
  [['--shard', '3/2'], '--shard is 3/2; give a part and the number of parts'],
  [['--streams', '1', '--clips', '1'], '--clips does not go with streams.'],
  [['--report', 'x.jsonl', '--model', 'x.gguf'], '--model does not go with --report.'],
  [['--dataset', 'x.json'], '--videos is missing.'],
  [['--videos', '.'], '--videos goes with --dataset FILE.json.'],
  [['--lengths', '8', '--budgets', '5'], '--budgets has 5, but memory holds two frames at least, 32 tokens.'],
  [['--lengths', '8', '--out', '/nowhere/r.jsonl'], '--out is /nowhere/r.jsonl, but its folder cannot be'],
  [['--report', 'x.jsonl', '--plot', '/nowhere/p.svg'], '--plot is /nowhere/p.svg, but its folder cannot'],
  [['--dataset', 'x.json', '--videos', '.', '--budgets', '1/2'], '--budgets has 1/2, but of a video'],
] as const) {
  it(`refuses ${argv.join(' ')}`, async () => {
    expect(await main(['eval', ...argv])).toBe(2);
    expect(complaints[0]).toContain(message);
  });
}
