// Questions that cannot be answered yet, or not at all.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { clip, Ringside } from './ringside';

// Requests are held back below, which a service worker would hide.
test.use({ serviceWorkers: 'block' });
test.setTimeout(240_000);

test('an empty question asks for one', async ({ page }) => {
  const ringside = new Ringside(page);
  await page.goto('/');
  await ringside.questionBox.fill('   ');
  await ringside.askButton.click();
  await expect(page.getByRole('alert').filter({ hasText: 'Type a question first' })).toBeVisible();
  await expect(ringside.questionBox).toBeFocused();
  expect(await ringside.turns()).toBe(0);
  await ringside.questionBox.fill('W');
  await expect(page.getByText('Type a question first')).toBeHidden();
});

test('a question put while the model loads is kept and answered', async ({ page }) => {
  const ringside = new Ringside(page);
  const model = readFileSync(join(import.meta.dirname, '../public/models/toybox/model.gguf'));
  let letThrough = () => {};
  const asked = new Promise<void>((resolve) => {
    letThrough = resolve;
  });
  await page.route('**/model.gguf', async (route) => {
    await asked;
    await route.fulfill({ body: model, contentType: 'application/octet-stream' });
  });
  await page.goto('/');
  await ringside.pickFile(clip('scene.mp4'));
  const kept = await ringside.put('What shape is the blue thing?');
  await expect(kept.locator).toContainText('Kept: it is asked as soon as the model is ready');
  await expect(page.getByRole('progressbar', { name: 'Loading the model' })).toBeVisible();

  letThrough();
  await ringside.ready();
  await kept.answered();
  expect(await kept.answer()).toBe('The blue thing is a circle.');
});
