// Byte sources against what they promise: exact ranges, and errors that name the file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ModelFormatError } from '../errors';
import { type ByteSource, blobSource, bytesSource, urlSource } from './byte-source';
import { nodeFileSource } from './node-file';

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closers.push(
    () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that knows ranges; it tells the size in Content-Range only if asked to. */
function ranged(total: string, requests: string[] = []): RequestListener {
  return (request, response) => {
    requests.push(`${request.method} ${request.headers.range ?? ''}`.trim());
    if (request.method === 'HEAD') {
      response.writeHead(200, { 'Content-Length': content.length }).end();
      return;
    }
    const [, start, end] = request.headers.range!.match(/bytes=(\d+)-(\d+)/)!;
    response.writeHead(206, { 'Content-Range': `bytes ${start}-${end}/${total}` });
    response.end(content.subarray(Number(start), Number(end) + 1));
  };
}

async function temporaryFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-'));
  closers.push(() => rm(folder, { recursive: true }));
  const path = join(folder, 'model.gguf');
  await writeFile(path, content);
  return path;
}

const sources: Record<string, () => Promise<ByteSource>> = {
  bytes: async () => bytesSource(content, 'model.gguf'),
  blob: async () => blobSource(new Blob([content]), 'model.gguf'),
  file: async () => blobSource(new File([content], 'model.gguf')),
  'node file': async () => nodeFileSource(await temporaryFile()),
  'url with ranges': async () => urlSource(`${await serve(ranged('1000'))}/models/model.gguf?download=true`),
  'url that hides its size': async () => urlSource(`${await serve(ranged('*'))}/model.gguf`),
  'url without ranges': async () =>
    urlSource(`${await serve((_, response) => response.end(content))}/model.gguf`),
};

describe.each(Object.entries(sources))('%s', (_, open) => {
  it('knows its name and size, and reads exact ranges', async () => {
    const source = await open();
    expect(source.name).toBe('model.gguf');
    expect(source.size).toBe(1000);
    expect(await source.read(0, 4)).toEqual(content.subarray(0, 4));
    expect(await source.read(990, 10)).toEqual(content.subarray(990));
    expect(await source.read(7, 0)).toHaveLength(0);
  });

  it('refuses a range that leaves the file', async () => {
    const source = await open();
    await expect(source.read(995, 10)).rejects.toThrow(/model\.gguf: bytes 995 to 1005.*has 1000/);
  });

  it('stops when aborted', async () => {
    const source = await open();
    await expect(source.read(0, 4, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('urlSource', () => {
  it('fetches only what is read', async () => {
    const requests: string[] = [];
    const source = await urlSource(`${await serve(ranged('1000', requests))}/model.gguf`);
    await source.read(100, 50);
    expect(requests).toEqual(['GET bytes=0-0', 'GET bytes=100-149']);
  });

  it.each([
    [404, /model\.gguf was not found at .* \(404\)/],
    [403, /model\.gguf could not be fetched: the server answered 403/],
    [416, /model\.gguf is empty/],
  ])('names the file when the server answers %i', async (status, message) => {
    const address = await serve((_, response) => response.writeHead(status).end('no'));
    const opening = urlSource(`${address}/model.gguf`);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(ModelFormatError);
  });

  it('names the file when there is no server', async () => {
    await expect(urlSource('http://127.0.0.1:9/model.gguf')).rejects.toThrow(
      /^model\.gguf could not be fetched/,
    );
  });

  it('refuses an answer shorter than asked for', async () => {
    const source = await urlSource(
      `${await serve((_, response) => {
        response.writeHead(206, { 'Content-Range': 'bytes 0-0/1000' }).end(content.subarray(0, 1));
      })}/model.gguf`,
    );
    await expect(source.read(0, 10)).rejects.toThrow('model.gguf: the server sent 1 of 10 bytes');
  });
});

it('a file that is not there is named', async () => {
  await expect(nodeFileSource('/nowhere/model.gguf')).rejects.toThrow(
    'model.gguf was not found at /nowhere/model.gguf',
  );
  await expect(nodeFileSource(tmpdir())).rejects.toThrow('is not a file');
});
