// Builds Ringside and serves it: `npm start`, or `npm start -- --port 8000 --host`.
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, preview } from 'vite';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '4173' }, host: { type: 'boolean', default: false } },
});

const root = fileURLToPath(new URL('..', import.meta.url));
for (const file of ['model.gguf', 'mmproj.gguf']) {
  // Throws where a file of the bundled model is missing.
  statSync(`${root}public/models/toybox/${file}`);
}

console.log('Building Ringside …');
await build({ root, logLevel: 'warn' });
const server = await preview({ root, preview: { port: Number(values.port), host: values.host } });
const [address] = server.resolvedUrls?.local ?? [];
console.log(`\n  Ringside is ready: ${address}\n`);
for (const other of server.resolvedUrls?.network ?? []) {
  // Browsers give WebGPU and the camera to secure origins only.
  console.log(`  On the network:    ${other} (needs https in front of it)\n`);
}
console.log('  The model runs in your browser, and nothing it sees leaves it. Ctrl+C stops the server.');
