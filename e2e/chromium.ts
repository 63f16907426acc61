// How the tests start Chromium: on a software GPU that takes frames of video, and without look-ups at start-up.

import { existsSync } from 'node:fs';
import type { LaunchOptions } from '@playwright/test';

const SYSTEM_CHROMIUM = '/usr/bin/chromium';

/** Vulkan on the CPU: the one way in which headless Chromium imports VideoFrames without a GPU. */
const SOFTWARE_GPU = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=vulkan',
  '--ignore-gpu-blocklist',
  '--disable-gpu-watchdog',
];

/** In a closed network such look-ups hang. */
const OFFLINE = [
  '--no-first-run',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser named by CHROMIUM, else the system's, else Playwright's own. */
export const launchOptions: LaunchOptions = {
  executablePath: process.env.CHROMIUM || (existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : undefined),
  args: [...SOFTWARE_GPU, ...OFFLINE, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
};
