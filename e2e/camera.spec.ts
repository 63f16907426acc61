// A camera, from its first frame to right answers: getUserMedia, the worker, external textures, the model.

import { expect, test } from '@playwright/test';
import { launchOptionsShowing } from './chromium';
import { clip, questionsAbout, Ringside, wrong } from './ringside';

test.use({ launchOptions: launchOptionsShowing(clip('scene.mjpeg')) });

test.setTimeout(400_000);

test('at least nine of ten questions about what the camera shows are answered rightly', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.watch('Camera');
  await expect(page.getByLabel('Live view of what is watched')).toBeVisible();

  const questions = questionsAbout('scene');
  const answers: string[] = [];
  for (const { question } of questions) {
    // Each by itself: Toybox was trained on conversations of a few turns.
    if (answers.length > 0) await ringside.forget();
    answers.push(await ringside.ask(question));
  }
  expect(wrong(questions, answers).length, wrong(questions, answers).join('\n')).toBeLessThanOrEqual(1);
});
