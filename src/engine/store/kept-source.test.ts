// Kept files on a real disk, fetched from a real server: what is fetched, what is kept, and what is found damaged.
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DownloadError, FileChangedError, StorageError } from '../errors';
import { findHttpFile, type HttpFile, HttpSource } from '../gguf/http-source';
import { FileServer } from '../gguf/testing/file-server';
import { BLOCK_BYTES, BlockFile, heldOf } from './block-file';
import { type Folder, memoryFolder } from './folder';
import { completeAll, KeptSource } from './kept-source';
import { nodeFolder } from './node-folder';
import { smallDisk } from './testing/small-disk';

const BLOCKS = 12;
/** The last block is a short one. */
const SIZE = (BLOCKS - 1) * BLOCK_BYTES + 4321;
const content = new Uint8Array(SIZE);
for (let i = 0; i < SIZE; i++) content[i] = Math.imul(i, 2654435761) >>> 24;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const HASH = sha256(content);
const OPTIONS = { stallMs: 10_000, retries: 2, retryMs: 5 };

let server: FileServer;
let path: string;
let folder: Folder;
let http: HttpFile;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  server = await new FileServer(content).start();
  path = await mkdtemp(join(tmpdir(), 'ringside-'));
  folder = await nodeFolder(path);
  http = await findHttpFile(server.url, OPTIONS);
  server.asked.length = server.sent = 0;
});
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  server.stop();
  await rm(path, { recursive: true });
});

interface Visit {
  readonly source: KeptSource;
  readonly stop: AbortController;
  close(): void;
}

/** The file as a visit finds it: what an earlier one left is there. */
async function visit({ hash = HASH as string | null, within = folder, of = http } = {}): Promise<Visit> {
  const file = await BlockFile.open(within, 'model.gguf', of.size);
  const stop = new AbortController();
  ends.push(() => stop.abort());
  const source = new KeptSource(file, new HttpSource(of, OPTIONS), hash, stop.signal);
  return { source, stop, close: () => file.close() };
}

async function expectWhole(source: KeptSource): Promise<void> {
  for (let at = 0; at < SIZE; at += 4 * BLOCK_BYTES) {
    const bytes = await source.read(at, Math.min(4 * BLOCK_BYTES, SIZE - at));
    expect(Buffer.compare(bytes, content.subarray(at, at + bytes.length)), `from ${at}`).toBe(0);
  }
}

/** Spoils a byte on the disk. */
async function damage(at: number): Promise<void> {
  const file = await open(join(path, 'model.gguf'), 'r+');
  await file.write(Uint8Array.of(content[at]! ^ 1), 0, 1, at);
  await file.close();
}

describe('a download', () => {
  it('fetches every byte once over several connections, and tells how far it is', async () => {
    const { source, close } = await visit();
    expect(source.bytesHere).toBe(0);
    await completeAll([source]);
    expect(source.isComplete).toBe(true);
    expect(source.bytesHere).toBe(SIZE);
    expect(server.sent).toBe(SIZE);
    expect(server.asked.length).toBe(2);
    await expectWhole(source);
    close();
    expect(sha256(await readFile(join(path, 'model.gguf')))).toBe(HASH);
    expect(await heldOf(folder, 'model.gguf', SIZE)).toEqual({ bytes: SIZE, digest: HASH });
    expect(server.sent).toBe(SIZE);
  });

  it('serves a reader at the same time, anywhere, and fetches nothing twice for it', async () => {
    const { source } = await visit();
    const header = await source.read(100, 1000);
    expect(header).toEqual(content.subarray(100, 1100));
    expect(server.sent).toBe(BLOCK_BYTES);
    const all = completeAll([source]);
    await expectWhole(source);
    await all;
    expect(server.sent).toBe(SIZE);
  });

  it('works with a server without ranges, from one answer', async () => {
    server.ranges = false;
    const { source } = await visit({ of: await findHttpFile(server.url, OPTIONS) });
    server.sent = server.asked.length = 0;
    await source.read(5 * BLOCK_BYTES, 10);
    await completeAll([source]);
    await expectWhole(source);
    // What precedes the first read is skipped, and fetched by one more.
    expect(server.asked.length).toBeLessThanOrEqual(2);
  });

  it('goes on where it stopped, whatever stopped it', async () => {
    const first = await visit();
    server.fault = ({ range }) => (range![0] >= 8 * BLOCK_BYTES ? { stallAfter: 100 } : undefined);
    const stopped = completeAll([first.source]);
    const written = async () => (await heldOf(folder, 'model.gguf', SIZE)).bytes;
    await expect.poll(written, { timeout: 20_000 }).toBe(8 * BLOCK_BYTES);
    first.stop.abort(new Error('the tab is gone'));
    await expect(stopped).rejects.toThrow('the tab is gone');
    // Not closed: a killed tab closes nothing.
    server.fault = () => undefined;
    server.sent = 0;
    const second = await visit();
    expect(second.source.bytesHere).toBe(8 * BLOCK_BYTES);
    await completeAll([second.source]);
    expect(server.sent).toBe(SIZE - 8 * BLOCK_BYTES);
    await expectWhole(second.source);
  });

  it('of another file than was published keeps nothing of it', async () => {
    const { source } = await visit({ hash: sha256(Uint8Array.of(1)) });
    await expect(completeAll([source])).rejects.toThrow(/model\.gguf is not the file that was published/);
    expect(source.bytesHere).toBe(0);
    expect(source.isComplete).toBe(false);
    expect((await stat(join(path, 'model.gguf'))).size).toBe(0);
  });

  it('has nothing to fetch for a read of nothing at its end', async () => {
    server.content = new Uint8Array(BLOCK_BYTES);
    const { source } = await visit({ of: await findHttpFile(server.url, OPTIONS), hash: null });
    server.asked.length = 0;
    expect(await source.read(BLOCK_BYTES, 0)).toHaveLength(0);
    expect(server.asked).toEqual([]);
  });

  it('that was closed touches the disk no more', async () => {
    const file = await BlockFile.open(folder, 'model.gguf', SIZE);
    file.close();
    for (const use of [() => file.read(0, 1), () => file.clear(), () => file.forget(0)]) {
      expect(use).toThrow('model.gguf was closed');
    }
  });

  it('of a file that changes meanwhile ends, and says so', async () => {
    const { source } = await visit();
    await source.read(0, 10);
    server.content = content.toReversed();
    await expect(completeAll([source])).rejects.toBeInstanceOf(FileChangedError);
  });
});

describe('a disk', () => {
  it('that is full says so, loses nothing, and goes on once there is room', async () => {
    const disk = smallDisk(folder, 5 * BLOCK_BYTES);
    const { source, stop, close } = await visit({ within: disk });
    const error: unknown = await completeAll([source]).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StorageError);
    expect((error as Error).message).toContain('no more room on this device to keep model.gguf');
    expect((error as { cause?: unknown }).cause).toMatchObject({ name: 'QuotaExceededError' });
    stop.abort();
    close();
    const held = (await heldOf(folder, 'model.gguf', SIZE)).bytes;
    expect(held).toBeGreaterThan(0);
    server.asked.length = 0;
    const again = await visit();
    await completeAll([again.source]);
    // What was asked for, since the requests given up may still be sending.
    const asked = server.asked.reduce((sum, { range }) => sum + range![1] + 1 - range![0], 0);
    expect(asked).toBe(SIZE - held);
    await expectWhole(again.source);
  });

  it('that damages a file is found out on reading, and only the damaged block fetched again', async () => {
    const before = await visit();
    await completeAll([before.source]);
    before.close();
    await damage(7 * BLOCK_BYTES + 99);
    await damage(SIZE - 4);
    server.sent = 0;
    const { source } = await visit();
    expect(source.isComplete).toBe(true);
    await expectWhole(source);
    expect(server.sent).toBe(BLOCK_BYTES + 4321);
    expect(source.isComplete).toBe(true);
    expect(sha256(await readFile(join(path, 'model.gguf')))).toBe(HASH);
  });

  it('that damages what was kept before the download went on is found out, too', async () => {
    const before = await visit();
    await before.source.read(0, 3 * BLOCK_BYTES);
    before.close();
    await damage(BLOCK_BYTES);
    const { source } = await visit();
    await completeAll([source]);
    expect(source.isComplete).toBe(true);
    await expectWhole(source);
  });

  it('without a network names the damaged part', async () => {
    const before = await visit();
    await completeAll([before.source]);
    before.close();
    await damage(3 * BLOCK_BYTES);
    server.stop();
    const { source } = await visit();
    expect((await source.read(0, 3 * BLOCK_BYTES)).length).toBe(3 * BLOCK_BYTES);
    const error = await source.read(2 * BLOCK_BYTES, 2 * BLOCK_BYTES).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StorageError);
    expect((error as Error).message).toMatch(
      /model\.gguf is damaged on this device from byte 3145728 to 4194304/,
    );
  });
});

describe('a crash', () => {
  it.each([
    ['in the middle of a record', async () => truncate(join(path, 'model.gguf.blocks'), 5 * 32 + 7)],
    ['before the data reached the disk', async () => truncate(join(path, 'model.gguf'), 5 * BLOCK_BYTES + 7)],
    ['before any of it did', async () => truncate(join(path, 'model.gguf'), 0)],
    [
      'that mixed up records',
      async () => copyFile(join(path, 'model.gguf'), join(path, 'model.gguf.blocks')),
    ],
  ])('%s costs no more than what it lost', async (_, crash) => {
    const before = await visit();
    await completeAll([before.source]);
    before.close();
    await crash();
    const { source } = await visit();
    await completeAll([source]);
    await expectWhole(source);
    expect(source.isComplete).toBe(true);
  });
});

it('keeps in memory where there is nothing else', async () => {
  const { source } = await visit({ within: memoryFolder(), hash: null });
  await completeAll([source]);
  await expectWhole(source);
  expect(source.isComplete).toBe(true);
});

it('a server that refuses is told to whoever reads', async () => {
  const { source } = await visit();
  server.fault = () => ({ status: 404 });
  await expect(source.read(0, 10)).rejects.toBeInstanceOf(DownloadError);
  await expect(completeAll([source])).rejects.toThrow('the server answered 404');
  server.fault = () => undefined;
  expect(await source.read(0, 10)).toEqual(content.subarray(0, 10));
});
