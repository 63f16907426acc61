// A video file: picked or dropped, seen to its end, asked about in several turns, stopped in mid-answer.

import { expect, test } from '@playwright/test';
import { clip, questionsAbout, Ringside, wrong } from './ringside';

test.setTimeout(300_000);

const SHAPE = { question: 'What shape is the blue thing?', answer: 'The blue thing is a circle.' };

test('at least nine of ten questions about a picked file are answered rightly', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  const questions = questionsAbout('scene');
  const answers: string[] = [];
  for (const { question } of questions) {
    // Each by itself, as in the camera's test. Watching a file begins with an empty memory.
    await ringside.pickFile(clip('scene.mp4'));
    answers.push(await ringside.ask(question));
  }
  expect(wrong(questions, answers).length, wrong(questions, answers).join('\n')).toBeLessThanOrEqual(1);
});

test('two turns in one conversation', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.pickFile(clip('scene.mp4'));
  await ringside.seenToTheEnd();
  const questions = questionsAbout('scene').filter(({ type }) => type === 'see' || type === 'glyph');
  const answers: string[] = [];
  for (const { question } of questions) answers.push(await ringside.ask(question));
  expect(await ringside.turns()).toBe(2);
  expect(wrong(questions, answers)).toEqual([]);
});

test('a dropped file: a question put meanwhile waits for the end, or is answered at once', async ({
  page,
}) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.dropFile(clip('scene.mp4'), 'video/mp4');
  await expect(page.getByText(/0:\d\d of 0:09/)).toBeVisible();

  const hurried = await ringside.put('Is there a red star?');
  const patient = await ringside.put(SHAPE.question);
  await hurried.locator.getByRole('button', { name: 'Answer now' }).click();
  await hurried.answered();
  await expect(patient.locator).toContainText('Kept until the end of “scene.mp4” has been seen.');
  await patient.answered();
  await ringside.seenToTheEnd();
  await expect(patient.locator).toContainText('scene.mp4 at 0:08');
  expect(await patient.answer()).toBe(SHAPE.answer);
});

test('an answer stopped in its middle, then another question', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.pickFile(clip('scene.mp4'));
  await ringside.seenToTheEnd();

  // From within the page: an answer is over before a test could press a button from without.
  await page.evaluate(() => {
    const observer = new MutationObserver(() => {
      if (!document.querySelector('.turn-answering .answer-text')) return;
      observer.disconnect();
      [...document.querySelectorAll('button')].find((button) => button.textContent === 'Stop')!.click();
    });
    observer.observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
  });
  const stopped = await ringside.put('What do you see?');
  await expect(stopped.locator).toContainText('Stopped.', { timeout: 60_000 });
  expect(await stopped.answer()).not.toMatch(/\.$/);
  await expect(ringside.stopButton).toBeDisabled();
  await expect(ringside.questionBox).toBeFocused();

  expect(await ringside.ask(SHAPE.question)).toBe(SHAPE.answer);
});
