// Mistakes in calling `ask`; watching and answering are the session's own tests.
import { expect, it } from 'vitest';
import { main } from './main';
import { complaints } from './testing/output';

const asked = ['--question', 'What do you see?'];
for (const [argv, message] of [
  [['--video', 'x.mp4'], '--question is missing.'],
  [asked, 'Give the video as either --video FILE or --frames FILE.npy.'],
  [
    [...asked, '--video', 'x.mp4', '--frames', 'x.npy'],
    'Give the video as either --video FILE or --frames FILE.npy.',
  ],
  [
    [...asked, '--video', 'x.mp4', '--policy', 'lru'],
    "--policy is 'lru'; choose full, sliding-window, uniform, random, tar, van or infinipot-v.",
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
