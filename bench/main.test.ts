// The benchmark as a program of its own.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('prints more than a pipe holds', () => {
  const load = `import { runnerImport } from 'vite';
    await runnerImport('bench/main.ts', { configFile: false, logLevel: 'error' });`;
  // A complaint that repeats a very long option.
  const option = `--${'x'.repeat(120_000)}`;
  const piped = 'node --input-type=module -e "$0" -- bench.mjs "$1" 2>&1 | cat';
  const printed = execFileSync('sh', ['-c', piped, load, option], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  });
  expect(printed).toContain(`has no option ${option}`);
  expect(printed).toContain('See node bench.mjs --help');
});
