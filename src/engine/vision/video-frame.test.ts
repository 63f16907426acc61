// Frame input from VideoFrames, in a real Chromium on its software adapter; see testing/video-frame-page.ts.

import { existsSync } from 'node:fs';
import { chromium } from '@playwright/test';
import { expect, it } from 'vitest';
import { launchOptions } from '../../../e2e/chromium';
import { serveModules } from '../../../e2e/modules';
import type { Outcome } from './testing/video-frame-page';

const PAGE = '/src/engine/vision/testing/video-frame-page.ts';
const executablePath = launchOptions.executablePath ?? chromium.executablePath();

async function runPage(): Promise<Outcome> {
  const modules = await serveModules();
  const browser = await chromium.launch(launchOptions);
  try {
    const page = await browser.newPage();
    await page.goto(`${modules.url}package.json`);
    // As text, because the test runner rewrites an `import` in code.
    return await page.evaluate<Outcome>(`import('${PAGE}').then((page) => page.compareVideoFrames())`);
  } finally {
    await browser.close();
    await modules.close();
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
