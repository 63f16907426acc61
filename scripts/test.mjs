// Runs all tests, or the steps named on the command line (`npm test -- unit gpu`), each with its output as
// it comes, and ends with one line: N passed, N failed, N skipped.
//
// A step that crashes, leaves no report or runs no test counts as a failure. RINGSIDE_GPU chooses the driver
// of the GPU step: `swiftshader`, `lavapipe` or `native`; unset, it is whatever the machine has.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium, installChromium } from './chromium.mjs';
import {
  checkTally,
  countReasons,
  readPlaywrightTally,
  readVitestTally,
  totals,
  trustedTally,
} from './tally.mjs';

/** @import { Tally } from './tally.mjs' */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORTS = join(ROOT, '.cache/tests');

/** Longest a step may take before it is ended and counted as failed. */
const STEP_MINUTES = 25;

/** @type {Record<string, () => Promise<Tally & { problem?: string }>>} */
const STEPS = {
  types: async () => checkTally(await run('tsc', ['-p', '.'])),
  lint: async () => checkTally(await run('biome', ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off'])])),
  unit: () => vitest('unit'),
  gpu: () => vitest('gpu'),
  build: async () => checkTally(await run('vite', ['build', '--logLevel', 'warn'])),
  e2e: playwright,
};

/** The browser itself, or the software GPU that comes with it. */
const NEED_CHROMIUM = new Set(['unit', 'gpu', 'e2e']);

async function main() {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !Object.hasOwn(STEPS, name));
  if (unknown.length > 0) {
    throw new Error(`No step '${unknown.join("', '")}'. The steps are ${Object.keys(STEPS).join(', ')}.`);
  }
  const steps = Object.entries(STEPS).filter(([name]) => names.length === 0 || names.includes(name));
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
  if (steps.some(([name]) => NEED_CHROMIUM.has(name))) await provideChromium();

  const tallies = [];
  const lines = [];
  for (const [name, step] of steps) {
    console.log(`\n=== ${name} ===`);
    const started = Date.now();
    const tally = await step();
    tallies.push(tally);
    lines.push(`${name}: ${totals([tally])} in ${Math.round((Date.now() - started) / 1000)} s`);
    if (tally.problem) lines.push(`  ${tally.problem}`);
    for (const adapter of tally.adapters) lines.push(`  on ${adapter}`);
    for (const [reason, count] of countReasons(tally.skipped)) lines.push(`  skipped ${count}: ${reason}`);
  }
  console.log(`\n${lines.join('\n')}\n\n${totals(tallies)}`);
  if (tallies.some(({ failed }) => failed > 0)) process.exitCode = 1;
}

/** Puts the browser's path where playwright.config.ts looks for it. */
async function provideChromium() {
  const path = (await findChromium()) ?? (installChromium() ? await findChromium() : undefined);
  if (path) {
    process.env.CHROMIUM = path;
    console.log(`Chromium: ${path}`);
  } else {
    console.error(
      'No Chromium found. Install it (Debian: apt-get install chromium; elsewhere: npx playwright install chromium), or name one in CHROMIUM.',
    );
  }
}

/** @param {string} project of vitest.config.ts */
async function vitest(project) {
  const report = join(REPORTS, `${project}.json`);
  const args = ['run', '--project', project, '--allowOnly=false', '--reporter=default'];
  const exitCode = await run('vitest', [...args, '--reporter=./scripts/vitest-tally.mjs'], {
    RINGSIDE_TALLY: report,
  });
  return trustedTally(exitCode, () => readVitestTally(report));
}

async function playwright() {
  const report = join(REPORTS, 'e2e.json');
  const exitCode = await run('playwright', ['test', '--forbid-only', '--reporter=list,json'], {
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
  });
  return trustedTally(exitCode, () => readPlaywrightTally(report));
}

/**
 * Runs a tool of node_modules with our output and no input.
 * @param {string} tool
 * @param {string[]} args
 * @param {Record<string, string>} env
 * @returns {Promise<number>} its exit status; 1 when it could not start, was ended or took too long
 */
function run(tool, args, env = {}) {
  const windows = process.platform === 'win32';
  return new Promise((resolve) => {
    const child = spawn(tool, args, {
      cwd: ROOT,
      env: {
        ...process.env,
        ...env,
        PATH: `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
      // A group of its own, so that ending it ends its workers and browsers too.
      detached: !windows,
      shell: windows,
    });
    const end = () => {
      try {
        process.kill(
          windows ? /** @type {number} */ (child.pid) : -(/** @type {number} */ (child.pid)),
          'SIGKILL',
        );
      } catch {
        // It has ended already.
      }
    };
    const timer = setTimeout(() => {
      console.error(`${tool} took more than ${STEP_MINUTES} minutes and was ended.`);
      end();
    }, STEP_MINUTES * 60_000);
    const interrupted = () => {
      end();
      process.exit(130);
    };
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    const done = (/** @type {number | null} */ code) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      resolve(code ?? 1);
    };
    child.once('error', (error) => {
      console.error(`${tool} did not start: ${error.message}`);
      done(1);
    });
    child.once('exit', (code) => done(code));
  });
}

main().catch((error) => {
  console.error(error);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
});
