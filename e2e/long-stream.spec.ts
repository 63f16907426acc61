// A stream ten times longer than memory: memory stays as large as it was, and the present is still known.

import { expect, type Page, test } from '@playwright/test';
import { clip, questionsAbout, Ringside, wrong } from './ringside';

test.setTimeout(480_000);

test('memory stays flat over a long stream, and questions about now are answered', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.chooseBudget('8 frames · 4 s · 64 tokens');
  await expect.poll(() => ringside.figure('Token budget')).toBe(64);

  await recordFigures(page);
  const created = await countBuffers(page);
  await ringside.pickFile(clip('stream.mp4'));
  await ringside.seenToTheEnd(300_000);
  // Four pairs of frames fit, and some forty go by.
  await expect.poll(() => ringside.figure('Frames seen')).toBeGreaterThanOrEqual(8 * 8);
  expect(await ringside.figure('Dropped frames')).toBe(0);

  // What there is, and whether something of a former scene still is: two turns, as many as Toybox is good for.
  const questions = questionsAbout('stream').filter(({ type }) => type === 'see' || type === 'exist');
  const answers: string[] = [];
  for (const { question } of questions) answers.push(await ringside.ask(question));

  expect(await created(), 'GPU buffers created while watching and asking').toEqual({
    buffers: 0,
    steps: true,
  });
  const { tokensUsed, gpuBytes } = await recordedFigures(page);
  expect(tokensUsed.length, 'times that the panel showed another number of tokens').toBeGreaterThan(4);
  expect(Math.max(...tokensUsed)).toBeLessThanOrEqual(64);
  expect(new Set(gpuBytes)).toEqual(new Set([await ringside.figure('Bytes on the GPU')]));
  expect(gpuBytes[0]).toBeGreaterThan(1e6);
  expect(await ringside.figure('Prunes')).toBeGreaterThan(0);
  expect(answers.length).toBe(2);
  expect(wrong(questions, answers)).toEqual([]);
});

/** Counts from now on the GPU buffers that the worker creates, and notes whether it ran anything on the GPU. */
async function countBuffers(page: Page): Promise<() => Promise<{ buffers: number; steps: boolean }>> {
  const handle = await page.workers()[0]!.evaluateHandle(() => {
    const counted = { buffers: 0, steps: false };
    const { createBuffer, createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      counted.buffers++;
      return createBuffer.call(this, descriptor);
    };
    GPUDevice.prototype.createCommandEncoder = function (descriptor) {
      counted.steps = true;
      return createCommandEncoder.call(this, descriptor);
    };
    return counted;
  });
  return () => handle.evaluate((counted) => counted);
}

interface Recorded {
  readonly tokensUsed: number[];
  readonly gpuBytes: number[];
}

/** Notes what the memory panel shows, each time that it changes. */
async function recordFigures(page: Page): Promise<void> {
  await page.evaluate(() => {
    const recorded: Recorded = { tokensUsed: [], gpuBytes: [] };
    Object.assign(globalThis, { recorded });
    const figure = (label: string) => {
      const term = [...document.querySelectorAll('dt')].find(({ textContent }) => textContent === label)!;
      return term.parentElement!.querySelector('dd')!;
    };
    const note = () => {
      recorded.tokensUsed.push(Number(figure('Tokens used').textContent.replaceAll(',', '')));
      recorded.gpuBytes.push(Number(figure('Bytes on the GPU').querySelector('data')!.value));
    };
    note();
    const panel = document.querySelector('[aria-label="Memory"]')!;
    const changes = { subtree: true, childList: true, characterData: true, attributes: true };
    new MutationObserver(note).observe(panel, changes);
  });
}

function recordedFigures(page: Page): Promise<Recorded> {
  return page.evaluate(() => (globalThis as unknown as { recorded: Recorded }).recorded);
}
