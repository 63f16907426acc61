// The memory lens: what was seen, lit where it is still remembered, with the real model's memory behind it.

import { expect, type Locator, type Page, test } from '@playwright/test';
import { Ringside } from './ringside';

test.setTimeout(240_000);

test('what is old fades as memory prunes; a moment is chosen with pointer and keys', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.chooseBudget('8 frames · 4 s · 64 tokens');
  const strip = page.getByRole('listbox', { name: 'What was seen' });
  await expect(strip).toBeHidden();
  const labels = await firstLabels(page);
  await ringside.watch('Demo');
  await ringside.seenToTheEnd();

  const moments = strip.getByRole('option');
  await expect(moments).toHaveCount(26);
  const [first, second, newest] = [moments.first(), moments.nth(1), moments.last()];
  await expect(newest).toHaveAccessibleName('0:25, all remembered');
  const told = await labels();
  expect(told[0]).toBe('0:00, all remembered');
  expect(told.at(-1)).toMatch(/^0:00, (forgotten|hardly|a (tenth|quarter|third)|half)/);
  await expect.poll(async () => (await light(newest)) / (await light(first))).toBeGreaterThan(1.3);

  const present = page.getByRole('img', { name: 'Newest frame watched of Demo clip' });
  const seen = page.getByRole('img', { name: 'What was seen at' });
  await expect(present).toBeInViewport();
  await newest.click();
  await expect(seen).toHaveAccessibleName('What was seen at 0:25');
  await expect(page.getByText('kept by all 12 heads')).toBeVisible();
  await page.keyboard.press('Home');
  await expect(first).toHaveAttribute('aria-selected', 'true');
  await expect(first).toBeInViewport({ ratio: 0.9 });
  await page.keyboard.press('ArrowRight');
  await expect(second).toHaveAttribute('aria-selected', 'true');
  await expect(strip).toHaveAttribute('aria-activedescendant', (await second.getAttribute('id'))!);
  await expect(seen).toHaveAccessibleName('What was seen at 0:01');
  await page.keyboard.press('Escape');
  await expect(seen).toBeHidden();
  await page.keyboard.press('Enter');
  await expect(newest).toHaveAttribute('aria-selected', 'true');
  await page.getByRole('button', { name: 'Back to the present' }).click();
  await expect(strip.getByRole('option', { selected: true })).toHaveCount(0);
  await expect(strip).toBeFocused();

  await first.click();
  await ringside.memory.getByRole('button', { name: 'Forget all' }).click();
  await expect(strip).toBeHidden();
  await expect(seen).toBeHidden();
});

/** Notes from now on what the first moment is called, each time that it changes. */
async function firstLabels(page: Page): Promise<() => Promise<string[]>> {
  const handle = await page.evaluateHandle(() => {
    const labels: string[] = [];
    const note = () => {
      const label = document.querySelector('[role="option"]')?.getAttribute('aria-label');
      if (label && label !== labels.at(-1)) labels.push(label);
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
    return labels;
  });
  return () => handle.evaluate((labels) => labels);
}

/** Mean brightness of a moment's thumbnail. */
function light(moment: Locator): Promise<number> {
  return moment.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i]! + data[i + 1]! + data[i + 2]!;
    return sum / data.length;
  });
}
