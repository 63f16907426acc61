// Bundles the benchmark into bench/dist/bench.mjs: engine, shaders and all, only Dawn (`webgpu`) left outside.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';

await build({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: true, external: ['webgpu'] },
  build: {
    ssr: 'bench/main.ts',
    target: 'node20',
    outDir: 'bench/dist',
    rolldownOptions: { output: { entryFileNames: 'bench.mjs', codeSplitting: false } },
  },
});
