// The bundled model's memory, saved in the middle of a clip and of a conversation: a fresh session that restores
// it answers what the first one does.

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { RgbFrame } from '../src/engine/contract';
import { HELDOUT_FOLDER } from './command';
import { readHeldout } from './heldout';
import { openToybox } from './testing/toybox';

const FRAMES = 12;

it('the bundled model goes on from a saved memory as if nothing had happened', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the clip');
  const clip = (await readHeldout(HELDOUT_FOLDER)).find(({ frameCount }) => frameCount >= FRAMES)!;
  const frames: RgbFrame[] = [];
  for await (const frame of clip.frames()) frames.push(frame);
  const questions = clip.questions.slice(0, 3).map(({ text }) => text);
  // Four frames of sixteen tokens: the clip is pruned several times.
  const open = () => openToybox({ memory: { capacityTokens: 64 } });
  const [first, second] = await Promise.all([open(), open()]);
  const watch = async (session: typeof first, start: number, end: number) => {
    for (let i = start; i < end; i++) await session.watch(frames[i]!, i * 500);
  };
  const ask = async (session: typeof first, question: string) => {
    let text = '';
    for await (const piece of session.ask(question)) text += piece;
    return text;
  };

  await watch(first, 0, 10);
  await ask(first, questions[0]!);
  await second.restore(await first.save());
  const said: string[][] = [];
  for (const session of [first, second]) {
    await watch(session, 10, FRAMES);
    const answers: string[] = [];
    for (const question of questions) answers.push(await ask(session, question));
    said.push([...answers, String(session.memory().prunes)]);
    session.dispose();
  }
  expect(said[1]).toEqual(said[0]);
  expect(Number(said[0]!.at(-1))).toBeGreaterThan(0);
  expect(said[0]!.join('')).toMatch(/[a-z]/);
}, 600_000);
