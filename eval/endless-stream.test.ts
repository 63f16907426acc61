// The bundled model in a stream that passes its range of positions again and again: what it says right after a
// rebase of what is in view is as right as ever.

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { HELDOUT_FOLDER } from './command';
import { readHeldout } from './heldout';
import { openToybox } from './testing/toybox';

/** The fewest positions that frames of this size can do with; a rebase goes down to half of them. */
const TRAINED_POSITIONS = 72;

/** Watched before the first question: so many positions that each clip asked about afterwards brings a rebase. */
const BEFORE = ['clip06', 'clip07', 'clip08', 'clip19', 'clip25', 'clip26', 'clip27', 'clip09', 'clip10'];

/** Asked about, each right after a rebase. */
const ASKED = ['clip28', 'clip43', 'clip45', 'clip46'];
const QUESTIONS = 4;

/** Least share of right answers, as in heldout.test.ts. */
const LEAST_SHARE = 0.85;

it('the bundled model tells what it sees right after each of several rebases', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the clips');
  const clips = new Map((await readHeldout(HELDOUT_FOLDER)).map((clip) => [clip.name, clip]));
  const session = await openToybox({
    trainedPositions: TRAINED_POSITIONS,
    // Eight seconds of sixteen tokens.
    memory: { capacityTokens: 128, policy: 'sliding-window' },
  });
  let time = 0;
  const watch = async (name: string) => {
    const { frames, questions } = clips.get(`${name}.jpg`)!;
    for await (const frame of frames()) {
      await session.watch(frame, time);
      time += 500;
    }
    return questions.filter(({ tense }) => tense === 'present').slice(0, QUESTIONS);
  };

  for (const name of BEFORE) await watch(name);
  expect(session.memory().rebases).toBe(0);
  const wrong: string[] = [];
  for (const [i, name] of ASKED.entries()) {
    for (const { text, accepted, isRight } of await watch(name)) {
      let answer = '';
      for await (const piece of session.ask(text, { remember: false })) answer += piece;
      if (!isRight(answer)) wrong.push(`${text} ${answer} [${accepted[0]}]`);
    }
    const { rebases, newestPosition } = session.memory();
    expect(rebases, `rebases with ${name}`).toBeGreaterThan(i);
    expect(newestPosition).toBeLessThan(TRAINED_POSITIONS);
  }
  session.dispose();
  console.log(`wrong: ${wrong.length} of ${ASKED.length * QUESTIONS}`, wrong.join(' '));
  expect(1 - wrong.length / (ASKED.length * QUESTIONS)).toBeGreaterThanOrEqual(LEAST_SHARE);
}, 600_000);
