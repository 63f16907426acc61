// Files of results: going on after a stop, and what must not be mixed.
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { nameModel, openResults, type Result, readResults, runKey } from './results';

const folder = await mkdtemp(join(tmpdir(), 'results-'));
afterAll(() => rm(folder, { recursive: true }));

const setting = { suite: 'streams 1', model: 'm' };
const result = (exam: string, budget = 32): Result => ({
  ...setting,
  exam,
  group: '8 s',
  method: 'infinipot-v',
  budget,
  whole: 128,
  tokensPerFrame: 16,
  answers: [{ type: 'see', tense: 'present', question: 'Ü?', answer: 'I see nothing.', right: true }],
  pairs: 8,
  prunes: 3,
  watchMs: 1,
  askMs: 2,
});

it('goes on where it was stopped, within a line too', async () => {
  const path = join(folder, 'stopped.jsonl');
  const first = await openResults(path, setting);
  expect(first.results).toEqual([]);
  await first.append(result('a'));
  await first.append(result('b'));
  const whole = await readFile(path, 'utf8');
  await appendFile(path, JSON.stringify(result('c')).slice(0, -20));

  const again = await openResults(path, setting);
  expect(again.results.map(runKey)).toEqual([runKey(result('a')), runKey(result('b'))]);
  expect(await readFile(path, 'utf8')).toBe(whole);
  await again.append(result('c'));
  expect(await readResults([path])).toEqual([result('a'), result('b'), result('c')]);
});

it('goes on when the very first line was cut short', async () => {
  const path = join(folder, 'first.jsonl');
  await writeFile(path, '{"suite": "str');
  const file = await openResults(path, setting);
  await file.append(result('a'));
  expect(await readResults([path])).toEqual([result('a')]);
});

it('merges shards', async () => {
  const paths = [join(folder, '1.jsonl'), join(folder, '2.jsonl')];
  await (await openResults(paths[0]!, setting)).append(result('a'));
  await (await openResults(paths[1]!, setting)).append(result('a', 64));
  expect(await readResults(paths)).toEqual([result('a'), result('a', 64)]);
});

it('names a model by how it is fed', () => {
  const frame = { width: 224, height: 112 };
  expect(nameModel('m', { frame, trainedPositions: 128 })).toBe('m 224x112 128 positions');
  expect(nameModel('m', { frame })).toBe('m 224x112 all positions');
});

it('refuses what does not belong together', async () => {
  const path = join(folder, 'one.jsonl');
  const file = await openResults(path, setting);
  await file.append(result('a'));
  await expect(openResults(path, { ...setting, model: 'n' })).rejects.toThrow('results of another model');
  await expect(openResults(path, { ...setting, suite: 'streams 2' })).rejects.toThrow('other questions');
  await expect(readResults([path, path])).rejects.toThrow('both hold a infinipot-v 32');
  await expect(readResults([join(folder, 'none.jsonl')])).rejects.toThrow('cannot be read');

  const other = join(folder, 'other.jsonl');
  await writeFile(other, `${JSON.stringify({ ...result('b'), model: 'n' })}\n`);
  await expect(readResults([path, other])).rejects.toThrow('other.jsonl holds results of another model');
  await writeFile(other, `${JSON.stringify(result('b'))}\n[1]\n`);
  await expect(readResults([other])).rejects.toThrow('other.jsonl, line 2 is no result');
});
