// Nothing leaves the device: once loaded, the page asks the network for nothing.

import { expect, test } from '@playwright/test';
import { Ringside } from './ringside';

test.setTimeout(300_000);

test('the demo and a question cause no request once the page has loaded', async ({
  page,
  context,
  baseURL,
}) => {
  const requests: string[] = [];
  // Of the page, its worker and its service worker.
  context.on('request', (request) => requests.push(request.url()));
  const ringside = new Ringside(page);
  await ringside.open();
  await expect(page.getByText('works offline')).toBeVisible();
  expect(requests.filter((url) => url.endsWith('.gguf')).length).toBe(2);
  expect(requests.filter((url) => !url.startsWith(baseURL!))).toEqual([]);

  requests.length = 0;
  await ringside.watch('Demo');
  const turn = await ringside.put('What do you see?');
  await turn.answered(240_000);
  expect(await turn.answer()).not.toBe('');
  expect(requests).toEqual([]);
});

test('after a visit the page opens and runs without a network', async ({ page, context }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await expect(page.getByText('works offline')).toBeVisible();
  await context.setOffline(true);
  await page.reload();
  await ringside.ready();
});
