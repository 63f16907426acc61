// The model's files are downloaded once and kept, if they can be; and what cannot be had or kept is told as it is.

import { expect, type Page, test } from '@playwright/test';
import { builtPage, serve } from './plain-server';
import { Ringside } from './ringside';

test.setTimeout(240_000);

test('a second visit downloads nothing that is still the same', async ({ page }) => {
  const host = await serve(builtPage);
  try {
    const ringside = new Ringside(page);
    await ringside.open(host.url);
    await expect(page.getByText('works offline')).toBeVisible();
    const answers: Record<string, number> = {};
    page.on('response', (response) => {
      answers[new URL(response.url()).pathname] = response.status();
    });
    await page.reload();
    await ringside.ready();
    expect(answers['/models/toybox/model.gguf']).toBe(304);
    expect(answers['/models/toybox/mmproj.gguf']).toBe(304);
  } finally {
    host.close();
  }
});

test('a download that breaks off is named, leaves nothing behind, and can be had again', async ({ page }) => {
  let broken = false;
  const host = await serve((request, response) => {
    if (broken || !request.url!.endsWith('/model.gguf')) return builtPage(request, response);
    broken = true;
    response.writeHead(200, { 'Content-Length': 5_000_000 });
    response.write(Buffer.alloc(100_000), () => setTimeout(() => response.destroy(), 200));
  });
  try {
    const ringside = new Ringside(page);
    await page.goto(host.url);
    const problem = await ringside.problem('The model could not be downloaded');
    await expect(problem).toContainText(/model\.gguf broke off after [\d]+ bytes\. Check the connection/);
    expect(await keptNames(page)).not.toContain('model.gguf');
    await expect(page.getByText('works offline')).toBeHidden();
    await problem.getByRole('button', { name: 'Load the model again' }).click();
    await ringside.ready();
    expect(await keptNames(page)).toContain('model.gguf');
  } finally {
    host.close();
  }
});

test('without room to keep it the model runs all the same, and nothing is promised', async ({ page }) => {
  // Sizes are not announced, so the lack of room shows only while storing.
  const host = await serve(builtPage);
  try {
    const browser = await page.context().newCDPSession(page);
    const quota = { origin: new URL(host.url).origin, quotaSize: 4_000_000 };
    await browser.send('Storage.overrideQuotaForOrigin', quota);
    const ringside = new Ringside(page);
    await ringside.open(host.url);
    expect(await keptNames(page)).not.toContain('model.gguf');
    await expect(page.getByText('works offline')).toBeHidden();
  } finally {
    host.close();
  }
});

/** Names of the files that the page keeps. */
function keptNames(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const requests = await (await caches.open('ringside-files')).keys();
    return requests.map(({ url }) => url.slice(url.lastIndexOf('/') + 1));
  });
}
