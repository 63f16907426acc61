// Starts the command line: Node runs no TypeScript of ours by itself, and the engine gathers its shaders with
// import.meta.glob, so Vite loads `main.ts`. Packages (Dawn above all) stay native imports.

import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('main.ts', import.meta.url)), {
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  logLevel: 'error',
});
const code = await module.main(process.argv.slice(2));
// A pipe takes 64 KiB at a time; the rest is still waiting here. Empty writes are done when all before them are.
for (const stream of [process.stdout, process.stderr]) await new Promise((done) => stream.write('', done));
// Dawn's threads would keep the process alive.
process.exit(code);
