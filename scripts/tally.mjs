// What a step of the tests came to, and how it is read and told.
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {string[]} skipped the reason of each skipped test; empty where none was given
 * @property {string[]} adapters graphics adapters that were used
 */

/** A step without tests of its own: one check that its exit status decides. @returns {Tally} */
export function checkTally(/** @type {number} */ exitCode) {
  return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: [], adapters: [] };
}

/** Reads what `vitest-tally.mjs` wrote. @returns {Tally} */
export function readVitestTally(/** @type {string} */ path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Reads Playwright's JSON report. A test that passed only on a retry counts as failed. @returns {Tally} */
export function readPlaywrightTally(/** @type {string} */ path) {
  const { stats, suites, errors } = JSON.parse(readFileSync(path, 'utf8'));
  const { expected, unexpected, flaky } = stats;
  return {
    passed: expected,
    failed: unexpected + flaky + errors.length,
    skipped: skipReasons(suites),
    adapters: [],
  };
}

/**
 * The tally with what a runner's own report cannot know: that it crashed, or that it ran nothing.
 * @param {number} exitCode of the runner
 * @param {() => Tally} read throws when the runner left no report
 * @returns {Tally & { problem?: string }}
 */
export function trustedTally(exitCode, read) {
  let tally;
  try {
    tally = read();
  } catch {
    return { ...checkTally(1), problem: `left no report (exit status ${exitCode})` };
  }
  if (tally.failed > 0) return tally;
  if (exitCode !== 0) return { ...tally, failed: 1, problem: `ended with exit status ${exitCode}` };
  if (tally.passed === 0) return { ...tally, failed: 1, problem: 'ran no test' };
  return tally;
}

/** The line everything ends with. */
export function totals(/** @type {Tally[]} */ tallies) {
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  const skipped = tallies.reduce((sum, tally) => sum + tally.skipped.length, 0);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** How many tests were skipped for each reason. @returns {Map<string, number>} */
export function countReasons(/** @type {string[]} */ reasons) {
  const counts = new Map();
  for (const reason of reasons) {
    const name = reason.replace(/^skipped: /, '') || 'no reason given';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** @returns {string[]} */
function skipReasons(/** @type {any[]} */ suites = []) {
  return suites.flatMap(({ suites: inner, specs = [] }) => {
    /** @type {any[]} */
    const tests = specs.flatMap((/** @type {{ tests: any[] }} */ spec) => spec.tests);
    const skipped = tests.filter(({ status }) => status === 'skipped');
    return [...skipped.map(({ annotations = [] }) => skipReason(annotations)), ...skipReasons(inner)];
  });
}

function skipReason(/** @type {{ type: string, description?: string }[]} */ annotations) {
  return annotations.find(({ type }) => type === 'skip')?.description ?? '';
}
