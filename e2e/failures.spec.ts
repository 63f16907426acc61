// What does not work says so, and says what to do.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { Ringside } from './ringside';

const TOYBOX = join(import.meta.dirname, '../public/models/toybox');

// Model files are served damaged below, which a service worker would hide.
test.use({ serviceWorkers: 'block' });
test.setTimeout(180_000);

test('a refused camera says how to allow it', async ({ page }) => {
  const ringside = new Ringside(page);
  await page.goto('/');
  await ringside.watch('Camera');
  const problem = await ringside.problem('The camera is not allowed');
  await expect(problem).toContainText('Allow it in the browser’s site settings');
  await expect(problem.getByRole('button', { name: 'Try again' })).toBeVisible();
  await problem.getByRole('button', { name: 'Dismiss' }).click();
  await expect(problem).toBeHidden();
});

test('a file that is no video is named', async ({ page }) => {
  const ringside = new Ringside(page);
  await page.goto('/');
  await ringside.pickFile(join(TOYBOX, 'card.json'));
  const problem = await ringside.problem('This file cannot be watched');
  await expect(problem).toContainText('“card.json” is not a video that Ringside can open');
});

for (const [damage, spoil, message] of [
  ['cut short', (file: Buffer) => file.subarray(0, file.length / 2), 'model.gguf'],
  ['not a model at all', (file: Buffer) => Buffer.alloc(file.length, 'no model'), 'model.gguf'],
] as const) {
  test(`a model file ${damage} is named, and the built-in model offered`, async ({ page }) => {
    const ringside = new Ringside(page);
    await serveDamaged(page, spoil);
    await page.goto('/?model=models/broken/');
    const problem = await ringside.problem('The model file cannot be used');
    await expect(problem).toContainText(message);
    await expect(page.getByText('Model not running')).toBeVisible();
    await problem.getByRole('button', { name: 'Use the built-in model' }).click();
    await ringside.ready();
  });
}

test('a missing model says what the server answered', async ({ page }) => {
  const ringside = new Ringside(page);
  await page.goto('/?model=models/none/');
  const problem = await ringside.problem('The model could not be downloaded');
  await expect(problem).toContainText('card.json could not be downloaded: the server answered 404');
});

test('a step that the GPU refuses is told, and the model can be loaded again', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  // The smallest invalid step there is, from now on in the middle of every other.
  await page.workers()[0]!.evaluate(() => {
    const { createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createCommandEncoder = function (descriptor) {
      this.createBuffer({ size: 16, usage: 0 });
      return createCommandEncoder.call(this, descriptor);
    };
  });
  await ringside.watch('Demo');
  const problem = await ringside.problem('The GPU reported an error');
  await expect(problem).toContainText('The GPU refused a step');
  await problem.getByRole('button', { name: 'Load the model again' }).click();
  await ringside.ready();
  await expect(problem).toBeHidden();
});

test('after the browser ended the tab, the next one says so and offers a smaller memory', async ({
  page,
  context,
}) => {
  await new Ringside(page).open();
  const browser = await context.newCDPSession(page);
  const ended = page.waitForEvent('crash');
  // Never answers: the page is gone.
  browser.send('Page.crash').catch(() => {});
  await ended;
  const next = await context.newPage();
  const ringside = new Ringside(next);
  await next.goto('/');
  const problem = await ringside.problem('The browser ended Ringside');
  await expect(problem).toContainText('while Toybox was running');
  await problem.getByRole('button', { name: 'Load with room for 64 frames' }).click();
  await ringside.ready();
  // Told once.
  await next.reload();
  await ringside.ready();
});

test('a browser without WebGPU is told which have it', async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'));
  const ringside = new Ringside(page);
  await page.goto('/');
  const problem = await ringside.problem('This browser has no WebGPU');
  await expect(problem).toContainText('use a current Chrome, Edge or Safari 26');
});

/** Serves the bundled model as another one, its decoder damaged. */
async function serveDamaged(page: Page, spoil: (file: Buffer) => Buffer): Promise<void> {
  await page.route('**/models/broken/*', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1)!;
    const file = readFileSync(join(TOYBOX, name));
    return route.fulfill({ body: name === 'model.gguf' ? spoil(file) : file });
  });
}
