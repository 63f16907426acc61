// A vitest reporter that writes what `test.mjs` sums up: counts, the reason of every skipped test, and the
// adapters that GPU tests ran on, into the file named by RINGSIDE_TALLY.
import { writeFileSync } from 'node:fs';

/** @import { Reporter } from 'vitest/reporters' */
/** @import { Tally } from './tally.mjs' */

/** @implements {Reporter} */
export default class TallyReporter {
  /** @type {Set<string>} */
  #adapters = new Set();

  /** @param {{ content: string }} log */
  onUserConsoleLog({ content }) {
    for (const [, adapter] of content.matchAll(/^adapter: (.*)$/gm)) this.#adapters.add(adapter);
  }

  /** @type {NonNullable<Reporter['onTestRunEnd']>} */
  onTestRunEnd = (modules, unhandledErrors) => {
    /** @type {Tally} */
    const tally = { passed: 0, failed: unhandledErrors.length, skipped: [], adapters: [...this.#adapters] };
    for (const module of modules) {
      // A file or group that broke outside its tests has errors of its own.
      const groups = [module, ...module.children.allSuites()];
      tally.failed += groups.filter((group) => group.errors().length > 0).length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') tally.passed++;
        else if (result.state === 'skipped') tally.skipped.push(result.note ?? '');
        // Failed, or still pending because its process died.
        else tally.failed++;
      }
    }
    writeFileSync(/** @type {string} */ (process.env.RINGSIDE_TALLY), JSON.stringify(tally));
  };
}
