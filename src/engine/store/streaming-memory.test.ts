// JavaScript memory while a large file arrives, is kept and is read as the engine reads weights.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { useModel } from './model-address';
import { ModelStore } from './model-store';
import { nodeFolder } from './node-folder';

const MIB = 2 ** 20;
/** Of each of the two files. */
const SIZE = 128 * MIB;
/** What the engine reads at a time. */
const CHUNK = 4 * MIB;
/** Over what is there before; the whole page is to stay under 128 MB. */
const LIMIT = 96 * MIB;
const PIECE = new Uint8Array(2 ** 16).map((_, i) => (i * 31) % 256);

it('stays small, whatever the size of the model', async () => {
  const path = await mkdtemp(join(tmpdir(), 'ringside-'));
  // Makes up what it sends, so as not to hold it in memory itself.
  const server = createServer((request, response) => {
    const [first = 0, last = 0] = request.headers.range!.match(/\d+/g)!.map(Number);
    const range = `bytes ${first}-${last}/${SIZE}`;
    response.writeHead(206, { 'Content-Range': range, 'Content-Length': last + 1 - first });
    let at = first;
    const next = () => {
      if (at > last) return void response.end();
      const start = at % PIECE.length;
      const piece = PIECE.subarray(start, Math.min(PIECE.length, start + last + 1 - at));
      at += piece.length;
      response.write(piece, next);
    };
    next();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(path, { recursive: true });
  });
  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = new ModelStore(await nodeFolder(path));
  const address = { kind: 'urls', model: `${host}/a.gguf`, mmproj: `${host}/b.gguf` } as const;
  const { open } = await useModel(store, address, async () => {});

  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  let most = 0;
  const all = open.complete();
  for (const source of [open.mmproj, open.model]) {
    for (let at = 0; at < SIZE; at += CHUNK) {
      const bytes = await source.read(at, CHUNK);
      expect(bytes[12_345]).toBe(PIECE[12_345]);
      most = Math.max(most, held() - before);
    }
  }
  await all;
  expect(open.isComplete).toBe(true);
  open.close();
  console.log(
    `at most ${(most / MIB).toFixed(0)} MiB of JavaScript memory for ${(2 * SIZE) / MIB} MiB of model`,
  );
  expect(most).toBeLessThan(LIMIT);
});
