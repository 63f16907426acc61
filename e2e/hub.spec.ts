// Models of the hub come through a frame of their own: it reaches the hub and nothing else, the page all but the hub.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, expect, test } from '@playwright/test';
import { serveModules } from './modules';
import { builtPage, serve } from './plain-server';

test.setTimeout(240_000);

const TOYBOX = join(import.meta.dirname, '../public/models/toybox');
const COMMIT = 'c0ffee';

test('the frame reaches the hub and nothing else', async ({ page, context }) => {
  await playHub(context);
  const asked: string[] = [];
  const elsewhere = await serve((request, response) => {
    asked.push(request.url!);
    response.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end();
  });
  const host = await serve(builtPage);
  const hubFile = `https://huggingface.co/someone/toybox/resolve/${COMMIT}/model.gguf`;
  const reaches = (url: string) => fetch(url).then(({ status }) => String(status), String);
  try {
    await page.goto(`${host.url}hub.html`);
    expect(await page.evaluate(reaches, hubFile)).toBe('206');
    expect(await page.evaluate(reaches, `${elsewhere.url}x`)).toContain('TypeError');
    expect(await page.evaluate(reaches, `${host.url}index.html`)).toContain('TypeError');
    await page.goto(host.url);
    expect(await page.evaluate(reaches, hubFile)).toContain('TypeError');
    expect(asked).toEqual([]);
  } finally {
    host.close();
    elsewhere.close();
  }
});

test('a model of the hub is downloaded through the frame, which is then gone', async ({ page, context }) => {
  const asked = await playHub(context);
  const modules = await serveModules();
  try {
    await page.goto(`${modules.url}models/toybox/card.json`);
    const kept = await page.evaluate(async (clientModule) => {
      const { EngineClient } = (await import(clientModule)) as typeof import('../workers/engine-client');
      const load = async () => {
        const client = new EngineClient({ onStatus: () => {}, onLost: () => {} });
        const end = await client.load({
          source: { kind: 'hub', repository: 'someone/toybox' },
          frame: { width: 112, height: 112 },
          policy: 'infinipot-v',
          budgetTokens: 64,
          capacityTokens: 64,
        });
        client.dispose();
        return end.kept;
      };
      // The document of a JSON file has no base of the page's.
      document.head.append(Object.assign(document.createElement('base'), { href: '/' }));
      const first = await load();
      // Now from the store.
      return [first, await load(), document.querySelector('iframe') === null];
    }, '/workers/engine-client.ts');
    expect(kept).toEqual([true, true, true]);
    const files = asked.filter((path) => path.endsWith('.gguf'));
    expect(new Set(files).size).toBe(2);
    // Listed once: nobody was asked the second time.
    expect(asked.filter((path) => path.includes('/tree/')).length).toBe(1);
  } finally {
    await modules.close();
  }
});

/** Answers as the hub would: one repository with the bundled model. @returns the paths asked for, as they come. */
async function playHub(context: BrowserContext): Promise<string[]> {
  const files = ['model.gguf', 'mmproj.gguf'].map((path) => ({
    path,
    bytes: readFileSync(join(TOYBOX, path)),
  }));
  const asked: string[] = [];
  await context.route('https://huggingface.co/**', (route) => {
    const { pathname } = new URL(route.request().url());
    asked.push(pathname);
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Content-Range' };
    if (pathname.includes('/revision/')) {
      return route.fulfill({ headers, json: { _id: '1', id: 'someone/toybox', sha: COMMIT } });
    }
    if (pathname.includes('/tree/')) {
      const json = files.map(({ path, bytes }) => {
        const oid = createHash('sha256').update(bytes).digest('hex');
        return { type: 'file', path, size: bytes.length, oid: 'f00', lfs: { oid, size: bytes.length } };
      });
      return route.fulfill({ headers, json });
    }
    const { bytes } = files.find(({ path }) => pathname.endsWith(`/${path}`))!;
    const [first = 0, last = 0] = route.request().headers().range?.match(/\d+/g)?.map(Number) ?? [];
    const body = bytes.subarray(first, last + 1);
    const range = `bytes ${first}-${first + body.length - 1}/${bytes.length}`;
    return route.fulfill({ status: 206, headers: { ...headers, 'Content-Range': range }, body });
  });
  return asked;
}
