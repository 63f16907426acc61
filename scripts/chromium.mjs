// Finds a Chromium for the end-to-end tests, or installs one where that needs no questions.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** libvulkan1 is what Dawn in Node loads drivers with; a page without any font has no text to click. */
const DEBIAN_PACKAGES = ['chromium', 'libvulkan1', 'fonts-liberation'];

/**
 * Path of a Chromium: the one named by CHROMIUM, one on PATH, or Playwright's own.
 * @returns {Promise<string | undefined>}
 */
export async function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const onPath = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const { chromium } = await import('@playwright/test');
  return [...onPath, chromium.executablePath()].find((path) => path && existsSync(path));
}

/** Installs Chromium as root on a Debian system. @returns {boolean} whether that went well */
export function installChromium() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  console.log(`Installing ${DEBIAN_PACKAGES.join(', ')} …`);
  return apt('update') && apt('install', '-y', '--no-install-recommends', ...DEBIAN_PACKAGES);
}

function apt(/** @type {string[]} */ ...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return (
    spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
  );
}
