// Mistakes in calling `ask`, and memory from one call to the next; watching and answering are the session's own
// tests.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { main } from './main';
import { complaints, printed } from './testing/output';

const asked = ['--question', 'What do you see?'];
for (const [argv, message] of [
  [['--video', 'x.mp4'], '--question is missing.'],
  [asked, 'Give the video as either --video FILE or --frames FILE.npy;'],
  [
    [...asked, '--video', 'x.mp4', '--frames', 'x.npy'],
    'Give the video as either --video FILE or --frames FILE.npy;',
  ],
  [
    [...asked, '--video', 'x.mp4', '--policy', 'lru'],
    "--policy is 'lru'; choose full, sliding-window, uniform, random, tar, van or infinipot-v.",
  ],
  [
    [...asked, '--video', 'x.mp4', '--policy', 'tar', '--pooling'],
    '--pooling is of value norms, which tar does not use; it goes with van and infinipot-v.',
  ],
  [
    [...asked, '--video', 'x.mp4', '--positions', 'relative'],
    "--positions is 'relative'; choose absolute or rebased.",
  ],
  [[...asked, '--video', 'x.mp4', '--top-p', '2'], '--top-p is 2; it must be a number from 0 to 1.'],
  [[...asked, '--video', 'x.mp4', '--max-tokens', '1.5'], '--max-tokens is 1.5; it must be a whole number.'],
  [
    [...asked, '--video', 'x.mp4', '--budget-tokens', '64', '--budget-bytes', '9'],
    'Give the budget as either --budget-tokens or --budget-bytes.',
  ],
  [
    [...asked, '--video', 'x.mp4', '--model', 'x.gguf'],
    '--mmproj is missing: a model is two files, the decoder and its vision encoder.',
  ],
  [
    [...asked, '--video', 'x.mp4', '--size', '100x56'],
    '--size is 100x56; give width and height in multiples of 28',
  ],
] as const) {
  it(`refuses ${argv.join(' ')}`, async () => {
    expect(await main(['ask', ...argv])).toBe(2);
    expect(complaints[0]).toContain(message);
  });
}

it('saves memory, and goes on from it in a later call, with a video or without', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-'));
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const fixture = (name: string) => join('reference/fixtures', name);
  const model = ['--model', fixture('wllama.model.gguf'), '--mmproj', fixture('wllama.mmproj.gguf')];
  const video = ['--frames', fixture('wllama.image.frames-0.npy')];
  const file = join(folder, 'memory');
  const call = async (...argv: string[]) => {
    const options = ['--size', '84x56', '--max-tokens', '6', '--json'];
    expect(await main(['ask', ...model, ...options, ...argv]), complaints.at(-1)).toBe(0);
    return JSON.parse(printed.pop()!).answers as string[];
  };
  try {
    const [what, why] = ['--question=What is it?', '--question=Why?'];
    const whole = await call(...video, what, why);
    expect(await call(...video, what, '--save', file)).toEqual(whole.slice(0, 1));
    expect(await call('--restore', file, why)).toEqual(whole.slice(1));
    expect(await call('--restore', file, ...video, why)).toHaveLength(1);
    await writeFile(file, 'something else');
    expect(await main(['ask', ...model, '--size', '84x56', '--restore', file, why])).toBe(1);
    expect(complaints.at(-1)).toMatch(/not a saved memory/);
    expect(await main(['ask', ...model, '--restore', join(folder, 'no such file'), why])).toBe(1);
    expect(complaints.at(-1)).toMatch(/no such file cannot be read/);
  } finally {
    write.mockRestore();
    await rm(folder, { recursive: true });
  }
});
