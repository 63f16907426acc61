// How the tests start Chromium: on a software GPU that takes frames of video or on none, with a camera, and
// without look-ups at start-up.

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

/** A camera that is there; a page that asks for it is refused. */
const CAMERA = ['--use-fake-device-for-media-stream'];

/** A camera that shows this MJPEG file over and over, to every page that asks for it. */
function cameraShowing(file: string): string[] {
  return [...CAMERA, '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${file}`];
}

/** The browser named by CHROMIUM, else the system's, else Playwright's own; with these arguments more. */
export function chromiumWith(args: readonly string[]): LaunchOptions {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return {
    executablePath: process.env.CHROMIUM || (existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : undefined),
    args: [...OFFLINE, ...sandbox, ...args],
  };
}

/** Chromium with a software GPU, and with a camera: without one a page is not refused, it finds none. */
export const launchOptions = chromiumWith([...SOFTWARE_GPU, ...CAMERA]);

/** The same with a camera that shows a file. */
export const launchOptionsShowing = (file: string) => chromiumWith([...SOFTWARE_GPU, ...cameraShowing(file)]);

/** Headless Chromium as it comes: it has WebGPU, but no adapter. */
export const launchOptionsWithoutGpu = chromiumWith([]);
