// Both ends of the line to the hub, over real ports and a server that plays the hub: what is fetched and what is not.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type FrameRequest, portFetch } from './hub-link';
import { isHubAddress, serve } from './hub-service';

const HUB = 'https://huggingface.co';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const FILE = `${HUB}/someone/model/resolve/${COMMIT}/Q4/model%20a.gguf`;

it.each([
  `${HUB}/api/models/someone/model/revision/HEAD?expand=sha&expand=private`,
  `${HUB}/api/models/someone/model/tree/${COMMIT}?recursive=true&expand=false&limit=1000&cursor=ZXlK`,
  FILE,
])('fetches %s', (url) => expect(isHubAddress(url)).toBe(true));

it.each([
  'model.gguf',
  FILE.replace('https', 'http'),
  FILE.replace('huggingface.co', 'huggingface.co.example.com'),
  FILE.replace('https://', 'https://seen@'),
  FILE.replace('huggingface', 'cdn.huggingface'),
  `${FILE}?seen=a+cat`,
  FILE.replace('.gguf', '.json'),
  FILE.replace(COMMIT, 'main'),
  FILE.replace('/resolve/', '/raw/'),
  `${HUB}/api/models/someone/model/resolve/${COMMIT}/../../discussions`,
  `${HUB}/api/models/someone/model/revision/HEAD?seen=a+cat`,
  `${HUB}/api/models/someone/model/tree/main/seen/a/cat`,
  `${HUB}/api/models?search=cat`,
])('does not fetch %s', (url) => expect(isHubAddress(url)).toBe(false));

/** A hub that sends a mebibyte and then no more, and the worker's `fetch` to it. */
async function line() {
  const hub = { asked: [] as string[], headers: {} as Record<string, unknown>, open: 0 };
  const server = createServer((request, response) => {
    hub.asked.push(request.url!);
    hub.headers = request.headers;
    hub.open++;
    response.on('close', () => hub.open--);
    response.writeHead(206, { 'Content-Range': 'bytes 0-9/10' });
    response.write(new Uint8Array(2 ** 20));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', (url: string, init: RequestInit) =>
    fetch(url.replace(HUB, `http://127.0.0.1:${port}`), init),
  );
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = ({ data, ports: [answer] }: MessageEvent<FrameRequest>) => void serve(data, answer!);
  onTestFinished(() => {
    vi.unstubAllGlobals();
    port1.close();
    server.close();
    server.closeAllConnections();
  });
  return { hub, fetch: portFetch(port1) };
}

it('hands on the answer to a range, and no header besides', async () => {
  const { hub, fetch } = await line();
  const response = await fetch(FILE, { headers: { Range: 'bytes=0-9', 'X-Seen': 'a cat' } });
  expect(response.status).toBe(206);
  expect(response.headers.get('content-range')).toBe('bytes 0-9/10');
  const { value } = await response.body!.getReader().read();
  expect(value!.length).toBeGreaterThan(0);
  expect(hub.headers).toMatchObject({ range: 'bytes=0-9' });
  expect(hub.headers).not.toHaveProperty('x-seen');
});

it('asks for nothing else, and sends nothing', async () => {
  const { hub, fetch } = await line();
  await expect(fetch(`${FILE}?seen=a+cat`)).rejects.toThrow('no model of the hub');
  await expect(fetch(FILE, { method: 'POST', body: 'a cat' })).rejects.toThrow('POST');
  expect(hub.asked).toEqual([]);
});

it.each(['aborted between two pieces', 'cancelled'])('lets go of an answer that is %s', async (how) => {
  const { hub, fetch } = await line();
  const stop = new AbortController();
  const response = await fetch(FILE, { signal: stop.signal });
  const reader = response.body!.getReader();
  await reader.read();
  expect(hub.open).toBe(1);
  const reason = new Error('no more');
  if (how === 'cancelled') await reader.cancel(reason);
  else {
    stop.abort(reason);
    await expect(reader.read()).rejects.toBe(reason);
  }
  await expect.poll(() => hub.open).toBe(0);
});

it('passes on that the answer is waited for no longer', async () => {
  const { hub, fetch } = await line();
  const stop = new AbortController();
  const asking = fetch(FILE, { signal: stop.signal });
  stop.abort(new Error('no more'));
  await expect(asking).rejects.toThrow('no more');
  await expect.poll(() => hub.open).toBe(0);
});
