import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));
const folders = ['src', 'shaders', 'workers', 'cli', 'bench', 'eval'].filter((folder) =>
  existsSync(join(root, folder)),
);

/** Whether a module, or one that it imports, opens the GPU in Node. */
function opensGpu(path: string, seen = new Set<string>()): boolean {
  if (path.endsWith('gpu/node-gpu.ts')) return true;
  if (seen.has(path) || !existsSync(path)) return false;
  seen.add(path);
  const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import) ?\(?'(\.[^']+)'/g);
  return [...imports].some(([, relative]) => opensGpu(`${join(dirname(path), relative!)}.ts`, seen));
}

// Two projects: `gpu` is every test that reaches a GPU, so that it can run once for each driver; `unit` the rest.
const gpuTests = folders
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((path) => path.endsWith('.test.ts') && opensGpu(join(root, path)));

// Processes, not threads, so that Dawn's threads end with the file that started them.
const common = { pool: 'forks', testTimeout: 120_000, hookTimeout: 120_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: { ...common, name: 'unit', include: [`{${folders}}/**/*.test.ts`], exclude: gpuTests },
      },
      // Two files at a time: compiling kernels, half of the work on a software GPU, uses one core.
      {
        extends: true,
        test: {
          ...common,
          name: 'gpu',
          include: gpuTests,
          maxWorkers: 2,
          setupFiles: 'src/engine/gpu/testing/uncaptured-errors.ts',
        },
      },
    ],
  },
});
