// The page's own modules, unbundled and without the page: for tests of what no button of it reaches.

import { join } from 'node:path';
import { createServer } from 'vite';

const ROOT = join(import.meta.dirname, '..');

/**
 * Serves the sources as the development server does, each under its path in the repository.
 * @returns the address, ending in a slash, and how to end it.
 */
export async function serveModules(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = await createServer({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    // A dependency found late would reload the page in the middle of a test.
    optimizeDeps: { noDiscovery: true, include: ['wesl/core', '@huggingface/hub'] },
    server: { port: 0, hmr: false, watch: null },
  });
  await server.listen();
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() };
}
