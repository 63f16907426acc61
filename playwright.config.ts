import { defineConfig } from '@playwright/test';
import { launchOptions } from './e2e/chromium';

// One test at a time: a software GPU takes all cores by itself.
export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  fullyParallel: false,
  timeout: 120_000,
  reporter: 'list',
  use: { launchOptions },
});
