// Models are downloaded once and kept, if they can be; a download that was broken off goes on where it stopped.

import { expect, type Page, test } from '@playwright/test';
import { builtPage, serve } from './plain-server';
import { Ringside } from './ringside';

test.setTimeout(240_000);

const MEBIBYTE = 2 ** 20;
/** Of the bundled model's two files. */
const MODEL_BYTES = 5_097_184;

/** The built page on a server of its own that counts what it sends of the decoder, and can be held up in it. */
async function counting() {
  const server = {
    sent: 0,
    ranges: true,
    from: Number.POSITIVE_INFINITY,
    how: 'stalls' as 'stalls' | 'fails',
  };
  const host = await serve((request, response) => {
    if (!request.url!.endsWith('/model.gguf')) return builtPage(request, response);
    if (!server.ranges) delete request.headers.range;
    const [first = 0] = request.headers.range?.match(/\d+/g)?.map(Number) ?? [];
    if (first >= server.from && server.how === 'fails') return response.writeHead(500).end();
    const write = response.write.bind(response) as (chunk: Buffer, ...rest: unknown[]) => boolean;
    let at = first;
    response.write = (chunk: Buffer, ...rest: unknown[]) => {
      if (at >= server.from) return false;
      at += chunk.length;
      server.sent += chunk.length;
      return write(chunk, ...rest);
    };
    return builtPage(request, response);
  });
  return { server, ...host };
}

test('a second visit downloads nothing that is still the same', async ({ page }) => {
  const { server, url, close } = await counting();
  try {
    const ringside = new Ringside(page);
    await ringside.open(url);
    await expect(page.getByText('works offline')).toBeVisible();
    expect(await keptFiles(page)).toEqual([
      'description.json',
      'mmproj',
      'mmproj.blocks',
      'model',
      'model.blocks',
    ]);
    server.sent = 0;
    await page.reload();
    await ringside.ready();
    // The byte that asks whether the file is the same.
    expect(server.sent).toBe(1);
  } finally {
    close();
  }
});

test('a reload in the middle of a download goes on where it was', async ({ page }) => {
  const { server, url, close } = await counting();
  try {
    server.from = 3 * MEBIBYTE;
    const ringside = new Ringside(page);
    await page.goto(url);
    await expect.poll(() => server.sent, { timeout: 60_000 }).toBeGreaterThanOrEqual(3 * MEBIBYTE);
    await expect.poll(() => keptBytes(page), { timeout: 60_000 }).toBeGreaterThanOrEqual(2 * MEBIBYTE);
    server.from = Number.POSITIVE_INFINITY;
    server.sent = 0;
    await page.reload();
    await ringside.ready();
    expect(server.sent).toBeLessThanOrEqual(MODEL_BYTES - 2 * MEBIBYTE + 1);
    await expect(page.getByText('works offline')).toBeVisible();
  } finally {
    close();
  }
});

test('a server that fails is named, and loading again goes on where it stopped', async ({ page }) => {
  const { server, url, close } = await counting();
  try {
    server.from = 2 * MEBIBYTE;
    server.how = 'fails';
    const ringside = new Ringside(page);
    await page.goto(url);
    const problem = await ringside.problem('The model could not be downloaded');
    await expect(problem).toContainText('model.gguf could not be downloaded (the server answered 500)');
    await expect(page.getByText('works offline')).toBeHidden();
    server.from = Number.POSITIVE_INFINITY;
    await problem.getByRole('button', { name: 'Load the model again' }).click();
    await ringside.ready();
    await expect(page.getByText('works offline')).toBeVisible();
  } finally {
    close();
  }
});

test('without room to keep it, and without ranges, the model runs all the same', async ({ page }) => {
  const { server, url, close } = await counting();
  try {
    server.ranges = false;
    const browser = await page.context().newCDPSession(page);
    await browser.send('Storage.overrideQuotaForOrigin', {
      origin: new URL(url).origin,
      quotaSize: 4_000_000,
    });
    const ringside = new Ringside(page);
    await ringside.open(url);
    await expect(page.getByText('works offline')).toBeHidden();
  } finally {
    close();
  }
});

/** Names of the files of the one model that is kept. */
function keptFiles(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const names: string[] = [];
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
    for await (const folder of models.values()) {
      for await (const name of (folder as FileSystemDirectoryHandle).keys()) names.push(name);
    }
    return names.toSorted();
  });
}

/** Bytes of the decoder that are recorded as kept, in whole blocks. */
function keptBytes(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
    for await (const folder of models.values()) {
      const file = await (folder as FileSystemDirectoryHandle).getFileHandle('model.blocks');
      return ((await file.getFile()).size / 32) * 2 ** 20;
    }
    return 0;
  });
}
