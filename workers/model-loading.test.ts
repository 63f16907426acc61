// Loads over Node's file system and real servers: which version runs, and what stays on the disk.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StorageError } from '../src/engine/errors';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import { FileServer } from '../src/engine/gguf/testing/file-server';
import { BLOCK_BYTES } from '../src/engine/store/block-file';
import type { Folder } from '../src/engine/store/folder';
import { type UrlAddress, useModel } from '../src/engine/store/model-address';
import { ModelStore } from '../src/engine/store/model-store';
import { nodeFolder } from '../src/engine/store/node-folder';
import { loadKeptModel } from './model-loading';

const HTTP = { stallMs: 10_000, retries: 1, retryMs: 5 };
const OLD = new Uint8Array(2 * BLOCK_BYTES + 5).fill(1);
const NEW = new Uint8Array(3 * BLOCK_BYTES).fill(2);

let path: string;
let folder: Folder;
let store: ModelStore;
let model: FileServer;
let mmproj: FileServer;
let address: UrlAddress;
let free: number;
let stop: AbortController;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'ringside-'));
  folder = await nodeFolder(path);
  store = new ModelStore(folder);
  model = await new FileServer(OLD).start();
  mmproj = await new FileServer(new Uint8Array(1000)).start();
  address = { kind: 'urls', model: model.url, mmproj: mmproj.url };
  free = 1e9;
  stop = new AbortController();
  vi.stubGlobal('navigator', { storage: { estimate: async () => ({ quota: free, usage: 0 }) } });
});
afterEach(async () => {
  vi.unstubAllGlobals();
  model.stop();
  mmproj.stop();
  await rm(path, { recursive: true });
});

/** @returns the first byte of the version that was loaded, and whether it is kept. */
async function load({ within = store as ModelStore | null, onUsed = () => {}, dispose = () => {} } = {}) {
  const use = async (source: ByteSource, _: ByteSource, onWeights: () => void) => {
    onWeights();
    const [first] = await source.read(0, source.size);
    onUsed();
    return { first, dispose };
  };
  const options = { http: HTTP, signal: stop.signal, onDownload: () => {} };
  const { result, kept } = await loadKeptModel(within, address, options, use);
  return [result.first, kept];
}

/** For each version that is there, how much of it is missing. */
async function missing(): Promise<number[]> {
  return (await store.list()).map(({ bytesHere, bytesTotal }) => bytesTotal - bytesHere);
}

it('a new version takes the place of the old one', async () => {
  expect(await load()).toEqual([1, true]);
  model.content = NEW;
  expect(await load()).toEqual([2, true]);
  await expect.poll(missing).toEqual([0]);
});

it('a new version that breaks off leaves the old one, which runs instead, and what came of the new', async () => {
  await load();
  model.content = NEW;
  model.fault = ({ range }) => {
    const [first, last] = range!;
    if (last === 0) return undefined;
    return first === 0 ? { cutAfter: 1.5 * BLOCK_BYTES } : { status: 503 };
  };
  const removed = vi.spyOn(store, 'deleteOthers');
  expect(await load()).toEqual([1, true]);
  expect(await missing()).toEqual([2 * BLOCK_BYTES, 0]);
  expect(removed).not.toHaveBeenCalled();
});

it('a visit without a network keeps what came of a new version', async () => {
  await load();
  model.content = NEW;
  const { open } = await useModel(store, address, ({ model }) => model.read(0, 1), { http: HTTP });
  open.close();
  model.fault = () => ({ status: 503 });
  const removed = vi.spyOn(store, 'deleteOthers');
  expect(await load()).toEqual([1, true]);
  expect(await missing()).toEqual([2 * BLOCK_BYTES + 1000, 0]);
  expect(removed).not.toHaveBeenCalled();
});

it('a new version for which there is no room leaves the old one, which runs instead', async () => {
  await load();
  model.content = NEW;
  free = BLOCK_BYTES;
  expect(await load()).toEqual([1, true]);
  expect(await missing()).toEqual([0]);
});

it('a small model that another tab has open is held in memory, or else that is what is said', async () => {
  await load();
  const inUse: Folder = {
    ...folder,
    folder: async (name) => ({
      ...(await folder.folder(name)),
      open: async () => {
        throw new StorageError('in another tab');
      },
    }),
  };
  const within = new ModelStore(inUse);
  expect(await load({ within })).toEqual([1, false]);
  model.fault = () => ({ status: 503 });
  await expect(load({ within })).rejects.toThrow('in another tab');
});

it('without a store a small model is held in memory', async () => {
  expect(await load({ within: null })).toEqual([1, false]);
});

it('a load that is cancelled when all is read gives nothing, and lets go of what it made', async () => {
  const dispose = vi.fn();
  await expect(load({ onUsed: () => stop.abort(new Error('changed my mind')), dispose })).rejects.toThrow(
    'changed my mind',
  );
  expect(dispose).toHaveBeenCalledOnce();
  // Again, now that all of it is here.
  stop = new AbortController();
  await load();
  await expect(load({ onUsed: () => stop.abort(new Error('changed my mind')), dispose })).rejects.toThrow(
    'changed my mind',
  );
  expect(dispose).toHaveBeenCalledTimes(2);
});
