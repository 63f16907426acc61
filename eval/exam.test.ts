// Sitting an exam, on a small random model: what it says does not matter, what it was shown does.
import { expect, it } from 'vitest';
import { noiseFrame, openSmall, TOKENS_PER_FRAME } from '../src/engine/testing/small-session';
import { type Exam, sit } from './exam';

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
