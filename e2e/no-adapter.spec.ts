// A browser that has WebGPU but finds no GPU to run it on.

import { expect, test } from '@playwright/test';
import { launchOptionsWithoutGpu } from './chromium';
import { Ringside } from './ringside';

test.use({ launchOptions: launchOptionsWithoutGpu });

test('a browser without an adapter says so, and keeps questions', async ({ page }) => {
  const ringside = new Ringside(page);
  await page.goto('/');
  const problem = await ringside.problem('Ringside cannot use this device’s GPU');
  await expect(problem.getByRole('button', { name: 'Load the model again' })).toBeVisible();
  const kept = await ringside.put('What do you see?');
  await expect(kept.locator).toContainText('Kept: it is asked once the model runs.');
});
