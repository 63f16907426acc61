// The model's files are downloaded once and kept, if they can be; and what cannot be had or kept is told as it is.

import { expect, type Page, test } from '@playwright/test';
import { serveModules } from './modules';
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

test('files that belong together are replaced together or not at all', async ({ page, context }) => {
  /** What the server has, and what becomes of its second file. */
  const versions = { first: 1, second: 1 };
  let second: 'arrives' | 'fails' | 'breaks off' = 'arrives';
  const host = await serve((request, response) => {
    const name = request.url!.slice(1);
    if (name !== 'first' && name !== 'second') {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end();
      return;
    }
    const etag = `"${versions[name]}"`;
    const body = `${name} ${versions[name]} `.padEnd(100_000, '.');
    const fault = name === 'second' ? second : 'arrives';
    if (fault === 'fails') response.writeHead(500).end();
    else if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
    else {
      response.writeHead(200, { ETag: etag, 'Content-Length': body.length });
      if (fault === 'arrives') response.end(body);
      else response.write(body.slice(0, 50_000), () => setTimeout(() => response.destroy(), 500));
    }
  });
  const modules = await serveModules();
  /** Both files as the page gets them, and how many entries the store has then. */
  const fetched = () =>
    page.evaluate(
      async ({ path, urls }) => {
        const { keptFiles } = (await import(path)) as typeof import('../workers/kept-files');
        const texts = await Promise.all((await keptFiles(urls)).map((blob) => blob.text()));
        const entries = await (await caches.open('ringside-files')).keys();
        return [...texts.map((text) => text.split(' .')[0]), entries.length];
      },
      { path: `${modules.url}workers/kept-files.ts`, urls: [`${host.url}first`, `${host.url}second`] },
    );
  try {
    await page.goto(host.url);
    expect(await fetched()).toEqual(['first 1', 'second 1', 3]);
    versions.first = versions.second = 2;
    for (second of ['fails', 'breaks off'] as const) {
      expect(await fetched(), second).toEqual(['first 1', 'second 1', 3]);
    }
    await context.setOffline(true);
    expect(await fetched(), 'without a network').toEqual(['first 1', 'second 1', 3]);
    await context.setOffline(false);
    second = 'arrives';
    expect(await fetched()).toEqual(['first 2', 'second 2', 3]);
    versions.second = 3;
    second = 'breaks off';
    expect(await fetched()).toEqual(['first 2', 'second 2', 3]);
    second = 'arrives';
    expect(await fetched()).toEqual(['first 2', 'second 3', 3]);
  } finally {
    host.close();
    await modules.close();
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
    // What follows the name tells versions apart.
    return requests.map(({ url }) => new URL(url).pathname.split('/').at(-1)!);
  });
}
