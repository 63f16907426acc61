// Starts the command line: Node runs no TypeScript of ours by itself, and the engine gathers its shaders with
// import.meta.glob, so Vite loads `main.ts`. Packages (Dawn above all) stay native imports.

import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('main.ts', import.meta.url)), {
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  logLevel: 'error',
});
await module.exit(await module.main(process.argv.slice(2)));
