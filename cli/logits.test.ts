// `logits` as it is called, against what transformers computed for a fixture.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fixture } from '../src/engine/testing/fixtures';
import { TOLERANCE } from '../src/engine/testing/tolerance';
import { main } from './main';
import { complaints, printed } from './testing/output';

const file = (name: string) => join(import.meta.dirname, '../reference/fixtures', name);
const FILES = ['--model', file('gqa1-hd32-f32.model.gguf'), '--mmproj', file('gqa1-hd32-f32.mmproj.gguf')];

it('prints logits and greedy ids of a prompt with a video', async () => {
  const test = fixture('gqa1-hd32-f32').cases.find(({ name }) => name === 'video-2')!;
  const code = await main([
    ...['logits', ...FILES, '--frames', file('gqa1-hd32-f32.video-2.frames-0.npy'), '--json'],
    ...['--prompt-ids', test.ids.join(','), '--tokens', String(test.greedyIds.length)],
  ]);
  expect(code).toBe(0);
  const { logits, ids } = JSON.parse(printed.at(-1)!);
  expect(ids).toEqual(test.greedyIds);
  expect(logits).toHaveLength(test.lastLogits.length);
  const differences = test.lastLogits.map((value, i) => Math.abs(value - logits[i]));
  expect(Math.max(...differences)).toBeLessThan(TOLERANCE.logitsF32);
});

for (const [wrong, message] of [
  [['--prompt-ids', '1,x,3', '--tokens', '1'], "--prompt-ids holds 'x'"],
  [['--prompt-ids', '1,2'], '--tokens is missing.'],
  [['--prompt-ids', '1,2', '--tokens', '0'], '--tokens is 0; it must be a number of at least 1.'],
  [['--prompt-ids', '1', '--tokens', '1', '--precision', 'f64'], "--precision is 'f64'; choose f32 or f16."],
] as const) {
  it(`refuses ${wrong.join(' ')}`, async () => {
    expect(await main(['logits', ...FILES, ...wrong])).toBe(2);
    expect(complaints.join('\n')).toContain(message);
  });
}

it('names a file of frames that is not there', async () => {
  const args = ['--prompt-ids', '1', '--tokens', '1', '--frames', '/nowhere/x.npy'];
  expect(await main(['logits', ...FILES, ...args])).toBe(1);
  expect(complaints).toEqual(['x.npy cannot be read at /nowhere/x.npy. Check the path.']);
});
