import { defineConfig } from 'vitest/config';

// Kernel and engine tests share one software GPU on two cores: one file at a time, in processes of their own
// so that Dawn's threads end with them.
export default defineConfig({
  test: {
    include: ['{src,shaders,workers,cli,bench,eval}/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
