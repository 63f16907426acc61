import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';
import { launchOptions } from './e2e/chromium';

const ADDRESS = 'http://localhost:4321/';

// The page as built: by the test runner just before, or here if it was never built.
const build = existsSync('dist/index.html') ? '' : 'npx vite build && ';

// One test at a time: a software GPU takes all cores by itself.
export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  fullyParallel: false,
  timeout: 120_000,
  reporter: 'list',
  use: { launchOptions, baseURL: ADDRESS, viewport: { width: 1440, height: 900 } },
  webServer: {
    command: `${build}npx vite preview --port ${new URL(ADDRESS).port} --strictPort`,
    url: ADDRESS,
    reuseExistingServer: !process.env.CI,
    timeout: 120_000,
  },
});
