// Bundles a program of this folder into bench/dist/: engine, shaders and all, only Dawn (`webgpu`) left outside.
//   node bench/build.mjs ENTRY.ts NAME.mjs

import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const [entry, name] = process.argv.slice(2);
await build({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: true, external: ['webgpu'] },
  build: {
    ssr: entry,
    target: 'node20',
    outDir: 'bench/dist',
    emptyOutDir: false,
    rolldownOptions: { output: { entryFileNames: name, codeSplitting: false } },
  },
});
