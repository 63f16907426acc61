// Models are downloaded once and kept, if they can be; a download that was broken off goes on where it stopped.

import { expect, type Page, test } from '@playwright/test';
import type { LoadStatus } from '../workers/protocol';
import { serveModules } from './modules';
import { builtPage, serve } from './plain-server';
import { Ringside } from './ringside';

test.setTimeout(240_000);

const MEBIBYTE = 2 ** 20;
/** Of the bundled model's two files. */
const MODEL_BYTES = 5_097_184;
const MMPROJ_BYTES = 2_630_016;

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

test('a model is planned before its download, cancelled, gone on with, listed and deleted', async ({
  page,
}) => {
  const modules = await serveModules();
  try {
    await page.goto(`${modules.url}models/toybox/card.json`);
    const seen = await page.evaluate(planLoadDelete, '/workers/engine-client.ts');
    expect(seen.plan).toMatchObject({ bytesTotal: MODEL_BYTES + MMPROJ_BYTES });
    expect(seen.plan.bytesHere).toBeLessThanOrEqual(3 * MEBIBYTE);
    expect(seen.plan.gpuBytes).toBe(seen.gpuBytes);
    expect(seen.cancelled).toBe('AbortError');
    expect(seen.begun).toEqual([false]);
    expect(seen.last).toMatchObject({ stage: 'ready', fraction: 1 });
    expect(seen.last!.download).toMatchObject({ bytesHere: MODEL_BYTES + MMPROJ_BYTES, secondsLeft: 0 });
    expect(seen.kept).toEqual([true]);
    expect(seen.left).toEqual([]);
  } finally {
    await modules.close();
  }
});

/** Runs in the page. */
async function planLoadDelete(clientModule: string) {
  const { EngineClient } = (await import(clientModule)) as typeof import('../workers/engine-client');
  let last: LoadStatus | undefined;
  let onFirst = () => {};
  const client = new EngineClient({
    onStatus: (status) => {
      last = status;
      onFirst();
    },
    onLost: () => {},
  });
  const fileUrl = (name: string) => new URL(name, location.href).href;
  const request = {
    source: { kind: 'urls', model: fileUrl('model.gguf'), mmproj: fileUrl('mmproj.gguf') },
    frame: { width: 112, height: 112 },
    policy: 'infinipot-v',
    budgetTokens: 64,
    capacityTokens: 64,
  } as const;
  const plan = await client.plan(request);
  onFirst = () => {
    onFirst = () => {};
    void client.cancelLoad();
  };
  const cancelled = await client.load(request).then(
    () => 'not at all',
    (error: Error) => error.name,
  );
  const begun = (await client.models()).map(({ isComplete }) => isComplete);
  await client.load(request);
  const { gpuBytes } = (await client.memory())!.report;
  const models = await client.models();
  for (const { id } of models) await client.deleteModel(id);
  const left = await client.models();
  client.dispose();
  return { plan, cancelled, begun, last, gpuBytes, kept: models.map(({ isComplete }) => isComplete), left };
}

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
