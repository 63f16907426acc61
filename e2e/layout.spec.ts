// What must be in sight, on phones and on a desktop.

import { expect, type Locator, test } from '@playwright/test';
import { Ringside } from './ringside';

test.setTimeout(240_000);

for (const [width, height] of [
  [360, 640],
  [390, 844],
  [1280, 800],
] as const) {
  test(`at ${width} × ${height} the question box is in sight while the demo plays`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    const ringside = new Ringside(page);
    await ringside.open();
    await ringside.watch('Demo');
    const end = page.getByRole('button', { name: 'End watching' });
    await expect(end).toBeVisible();
    for (const part of [ringside.questionBox, ringside.askButton, end]) {
      await expect(part).toBeInViewport({ ratio: 1 });
    }
    expect(await isCovered(end)).toBe(false);
    // Beside the name, not below it.
    const [name, button] = await Promise.all([
      page.getByText('Demo clip', { exact: true }).boundingBox(),
      end.boundingBox(),
    ]);
    expect(name!.y + name!.height).toBeGreaterThan(button!.y);
    expect(name!.y).toBeLessThan(button!.y + button!.height);
  });
}

test('at 1280 × 800 no choice of the memory panel is cut', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.memory.getByRole('button', { name: 'More about memory' }).click();
  for (const select of await ringside.memory.getByRole('combobox').all()) {
    const { shown, needed } = await select.evaluate((element: HTMLElement) => {
      const shown = element.offsetWidth;
      element.style.width = 'max-content';
      const needed = element.offsetWidth;
      element.style.width = '';
      return { shown, needed };
    });
    expect(shown).toBeGreaterThanOrEqual(needed);
  }
});

test('once all is forgotten, a file that is watched no more is gone from view', async ({ page }) => {
  const ringside = new Ringside(page);
  await ringside.open();
  await ringside.watch('Demo');
  await expect.poll(() => ringside.figure('Tokens used'), { timeout: 60_000 }).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'End watching' }).click();
  const picture = page.getByRole('img', { name: 'Newest frame watched of Demo clip' });
  const suggestions = page.getByRole('list', { name: 'Suggested questions' });
  await expect(picture).toBeVisible();
  await expect(suggestions).toBeVisible();
  await ringside.memory.getByRole('button', { name: 'Forget all' }).click();
  await expect(picture).toBeHidden();
  await expect(suggestions).toBeHidden();
  await expect(page.getByText('Take your seat.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Demo' })).toHaveAttribute('aria-pressed', 'false');
});

/** Whether something lies over the middle of an element. */
function isCovered(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return !element.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  });
}
