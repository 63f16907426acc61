// Sitting an exam, on a small random model: what it says does not matter, what it was shown does.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { noiseFrame, openSmall, TOKENS_PER_FRAME } from '../src/engine/testing/small-session';
import { type Exam, sit } from './exam';
import { readHeldout, type ScoredAnswer, scoreHeldout } from './heldout';

const folder = await mkdtemp(join(tmpdir(), 'exam-'));
afterAll(() => rm(folder, { recursive: true }));

/** An exam of so many frames. */
function exam(count: number): Exam {
  const questions = [{ type: 'see', text: 'What do you see?', isRight: () => true }];
  return {
    name: 'noise',
    group: '',
    framesPerSecond: 2,
    questions,
    async *frames() {
      for (let i = 0; i < count; i++) yield noiseFrame(i);
    },
  };
}

it('watches every frame, and says when there is none', async () => {
  const session = await openSmall();
  expect(await sit(session, exam(3))).toMatchObject({ pairs: 2, answers: [{ type: 'see', right: true }] });
  expect(session.memory().visualTokens).toBe(2 * TOKENS_PER_FRAME);
  await expect(sit(session, exam(0))).rejects.toThrow('noise gives no frame at 2 frames a second.');
  expect((await sit(session, exam(2))).pairs).toBe(1);
});

it('watches every frame of a held-out clip', async ({ skip }) => {
  const strip = ['-f', 'lavfi', '-i', 'testsrc=s=28x84', '-frames:v', '1', join(folder, 'clip.jpg')];
  const made = spawnSync('ffmpeg', strip);
  skip(made.error !== undefined, 'no ffmpeg to write a strip');
  const questions = [
    { type: 'see', tense: 'present', question: 'What do you see?', accepted: ['Nothing.'] },
    { type: 'first', tense: 'past', question: 'What came first?', accepted: ['Nothing.'] },
  ];
  const clip = { clip: 'clip.jpg', frames: 3, framesPerSecond: 2, questions };
  await writeFile(join(folder, 'questions.json'), JSON.stringify([clip]));

  const session = await openSmall();
  const scored: ScoredAnswer[] = [];
  for await (const one of scoreHeldout(session, await readHeldout(folder), 'past')) scored.push(one);
  expect(session.memory().visualTokens).toBe(2 * TOKENS_PER_FRAME);
  expect(scored).toMatchObject([
    { clip: 'clip.jpg', type: 'first', question: 'What came first?', accepted: ['Nothing.'], right: false },
  ]);
});
