// Nothing leaves the device: once loaded, the page asks the network for nothing.

import { expect, type Page, test } from '@playwright/test';
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
  expect(new Set(requests.filter((url) => url.endsWith('.gguf'))).size).toBe(2);
  // The blob that starts the worker counts as a request of this origin.
  expect(requests.filter((url) => new URL(url).origin !== new URL(baseURL!).origin)).toEqual([]);

  requests.length = 0;
  const persistence = await countPersist(page);
  await ringside.watch('Demo');
  const turn = await ringside.put('What do you see?');
  await turn.answered(240_000);
  expect(await turn.answer()).not.toBe('');
  expect(requests).toEqual([]);
  // Of use by now, so the browser is asked not to clear away what is kept.
  expect(await persistence()).toBe(1);
});

test('after a visit the page opens and runs without a network', async ({ page, context }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await expect(page.getByText('works offline')).toBeVisible();
  // An address that is not there is not the page.
  await expect(page.goto('/nowhere')).rejects.toThrow('ERR_HTTP_RESPONSE_CODE_FAILURE');
  await context.setOffline(true);
  // The page by another name: its parameters are its own affair.
  await ringside.open('/?model=models/toybox/');
});

/** Counts from now on how often the page asks for lasting storage. */
async function countPersist(page: Page): Promise<() => Promise<number>> {
  const calls = await page.evaluateHandle(() => {
    const counted = { calls: 0 };
    const persist = navigator.storage.persist.bind(navigator.storage);
    navigator.storage.persist = () => {
      counted.calls++;
      return persist();
    };
    return counted;
  });
  return () => calls.evaluate((counted) => counted.calls);
}
