// The bundled model answers what it is for: held-out questions about the present, through the engine.

import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { HELDOUT_FOLDER } from './command';
import { readHeldout, type ScoredAnswer, scoreHeldout } from './heldout';
import { openToybox } from './testing/toybox';

/** The short clips among the first: enough questions to tell, few enough for a software adapter. */
const CLIPS = 30;
const MAX_FRAMES = 12;

/** What the bundled model promises; its card says what it reaches. */
const LEAST_SHARE = 0.85;

it('the bundled model answers questions about the present', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the clips');
  const session = await openToybox();
  const clips = (await readHeldout(HELDOUT_FOLDER)).filter(({ frameCount }) => frameCount <= MAX_FRAMES);
  const answers: ScoredAnswer[] = [];
  for await (const answer of scoreHeldout(session, clips.slice(0, CLIPS), 'present')) {
    answers.push(answer);
  }
  session.dispose();
  const wrong = answers.filter(({ right }) => !right);
  console.log(`right: ${answers.length - wrong.length} of ${answers.length}`);
  for (const { question, answer, accepted } of wrong) console.log(`${question} ${answer} [${accepted[0]}]`);
  expect(answers.length).toBeGreaterThan(100);
  expect(1 - wrong.length / answers.length).toBeGreaterThanOrEqual(LEAST_SHARE);
}, 900_000);
