// The bundled model's memory, saved in the middle of a clip and of a conversation: a fresh session that restores
// it answers what the first one does.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nodeFileSource } from '../src/engine/gguf/node-file';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { HELDOUT_FOLDER } from './command';
import { readHeldout } from './heldout';
import { stripFrames } from './strips';

const MODEL = 'public/models/toybox';
const FRAMES = 12;

it('the bundled model goes on from a saved memory as if nothing had happened', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the clip');
  const clip = (await readHeldout(HELDOUT_FOLDER)).find(({ frames }) => frames >= FRAMES)!;
  const frames = await stripFrames(join(HELDOUT_FOLDER, clip.clip), clip.frames);
  const questions = clip.questions.slice(0, 3).map(({ question }) => question);
  const open = async () =>
    createSession({
      gpu: await openNodeGpu(),
      model: await nodeFileSource(`${MODEL}/model.gguf`),
      mmproj: await nodeFileSource(`${MODEL}/mmproj.gguf`),
      frame: { width: 112, height: 112 },
      maxRgbPixels: 112 * 112,
      // Four frames of sixteen tokens: the clip is pruned several times.
      memory: { capacityTokens: 64 },
    });
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
