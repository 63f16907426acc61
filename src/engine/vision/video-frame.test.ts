// Frame input from VideoFrames, in a real Chromium on its software adapter; see testing/video-frame-page.ts.

import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { createServer } from 'vite';
import { expect, it } from 'vitest';
import { launchOptions } from '../../../e2e/chromium';
import type { Outcome } from './testing/video-frame-page';

const PAGE = '/src/engine/vision/testing/video-frame-page.ts';
const executablePath = launchOptions.executablePath ?? chromium.executablePath();

async function runPage(): Promise<Outcome> {
  const server = await createServer({
    configFile: false,
    root: join(import.meta.dirname, '../../..'),
    logLevel: 'error',
    optimizeDeps: { noDiscovery: true, include: ['wesl/core'] },
    server: { port: 0, hmr: false, watch: null },
  });
  await server.listen();
  const browser = await chromium.launch(launchOptions);
  try {
    const { port } = server.httpServer!.address() as AddressInfo;
    const page = await browser.newPage();
    await page.goto(`http://localhost:${port}/package.json`);
    // As text, because the test runner rewrites an `import` in code.
    return await page.evaluate<Outcome>(`import('${PAGE}').then((page) => page.compareVideoFrames())`);
  } finally {
    await browser.close();
    await server.close();
  }
}

it.skipIf(!existsSync(executablePath))('VideoFrames give the patches that their pixels give', async () => {
  const outcome = await runPage();
  const closed = true;
  expect(outcome).toEqual({
    'as it is': { worst: 0, closed },
    'visible part': { worst: 0, closed },
    // Samples half a source pixel apart, from a texture in floats.
    'wide pixels': { worst: expect.toSatisfy((worst: number) => worst <= 2), closed },
    turned: { worst: 0, closed },
    // Luma has fewer levels than grey.
    'studio range': { worst: expect.toSatisfy((worst: number) => worst <= 2), closed },
  });
});
