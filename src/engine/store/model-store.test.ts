// Models in the store, from addresses and from a hub: found, begun, gone on with, listed, replaced and deleted.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DownloadError, InvalidInputError, StorageError } from '../errors';
import { FileServer } from '../gguf/testing/file-server';
import { BLOCK_BYTES } from './block-file';
import { findHubModel, type HubAddress } from './hub';
import { type ModelAddress, type UrlAddress, useModel } from './model-address';
import { ModelStore, type OpenModel } from './model-store';
import { nodeFolder } from './node-folder';
import { HubServer } from './testing/hub-server';

const OPTIONS = { stallMs: 10_000, retries: 1, retryMs: 5 };
const bytes = (length: number, first: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + first) % 256);
const MODEL = bytes(2 * BLOCK_BYTES + 5, 1);
const MMPROJ = bytes(1000, 2);

let path: string;
let store: ModelStore;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'ringside-'));
  store = new ModelStore(await nodeFolder(path));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await rm(path, { recursive: true });
});

async function serve(content: Uint8Array<ArrayBuffer>): Promise<FileServer> {
  const server = await new FileServer(content).start();
  ends.push(() => server.stop());
  return server;
}

/** Opens what is to be used of an address. To be closed. */
async function openModel(address: ModelAddress): Promise<OpenModel> {
  return (await useModel(store, address, async () => {}, { http: OPTIONS })).open;
}

async function expectWhole({ model, mmproj }: OpenModel, first = MODEL): Promise<void> {
  expect(Buffer.compare(await model.read(0, model.size), first)).toBe(0);
  expect(Buffer.compare(await mmproj.read(0, mmproj.size), MMPROJ)).toBe(0);
}

describe('from addresses', () => {
  let model: FileServer;
  let mmproj: FileServer;
  let address: UrlAddress;
  beforeEach(async () => {
    model = await serve(MODEL);
    mmproj = await serve(MMPROJ);
    address = { kind: 'urls', model: model.url, mmproj: mmproj.url };
  });

  /** Opens the model, brings it here as a load does, and closes it. */
  async function download(): Promise<void> {
    const open = await openModel(address);
    await open.complete();
    await store.deleteOthers(open);
    open.close();
  }

  it('is begun, listed as far as it is, gone on with, complete, and deleted', async () => {
    const begun = await openModel(address);
    await begun.model.read(0, 10);
    begun.close();
    const [part] = await store.list();
    expect(part).toMatchObject({
      bytesHere: BLOCK_BYTES,
      bytesTotal: MODEL.length + 1000,
      isComplete: false,
    });
    model.sent = 0;
    await download();
    expect(model.sent).toBe(MODEL.length - BLOCK_BYTES + 1);
    const [whole] = await store.list();
    expect(whole).toMatchObject({ id: part!.id, bytesHere: MODEL.length + 1000, isComplete: true });
    await store.delete(whole!.id);
    expect(await store.list()).toEqual([]);
  });

  it('is there without a network once it is complete, and not before', async () => {
    const begun = await openModel(address);
    await begun.model.read(0, 10);
    begun.close();
    mmproj.fault = () => ({ status: 500 });
    await expect(openModel(address)).rejects.toBeInstanceOf(DownloadError);
    mmproj.fault = () => undefined;
    await download();
    model.stop();
    const open = await openModel(address);
    expect(open.isComplete).toBe(true);
    await expectWhole(open);
    open.close();
  });

  it('is replaced by a new version once that is complete, and stays until then', async () => {
    await download();
    const changed = MODEL.toReversed();
    model.content = changed;
    const next = await openModel(address);
    await next.model.read(0, 10);
    next.close();
    expect((await store.list()).map(({ isComplete }) => isComplete).toSorted()).toEqual([false, true]);
    model.fault = () => ({ status: 503 });
    const old = await openModel(address);
    await expectWhole(old);
    old.close();
    model.fault = () => undefined;
    await download();
    expect(await store.list()).toHaveLength(1);
    const open = await openModel(address);
    await expectWhole(open, changed);
    open.close();
  });

  it('is the newest of those that are complete, where the server does not answer', async () => {
    await download();
    const changed = MODEL.toReversed();
    model.content = changed;
    const next = await openModel(address);
    await next.complete();
    next.close();
    expect((await store.list()).map(({ isComplete }) => isComplete)).toEqual([true, true]);
    model.fault = () => ({ status: 503 });
    const open = await openModel(address);
    await expectWhole(open, changed);
    open.close();
  });

  it('is not begun where there is no room', async () => {
    const check = async () => {
      throw new StorageError('full');
    };
    await expect(useModel(store, address, async () => {}, { http: OPTIONS, check })).rejects.toThrow('full');
    expect(await store.list()).toEqual([]);
  });

  it('is as good as not there where its description was cut short', async () => {
    await download();
    const id = (await store.list())[0]!.id;
    await writeFile(join(path, id, 'description.json'), '{"format":1,"key":"[');
    expect(await store.list()).toEqual([]);
    model.sent = 0;
    await download();
    expect(await store.list()).toMatchObject([{ id, isComplete: true }]);
    // But for the byte that asks for its size.
    expect(model.sent).toBe(1);
  });
});

it('a list does not bring back what is deleted meanwhile', async () => {
  const root = await nodeFolder(path);
  await root.folder('model');
  const folders = async () => {
    const found = await root.folders();
    await root.remove('model');
    return found;
  };
  expect(await new ModelStore({ ...root, folders }).list()).toEqual([]);
  expect(await root.folders()).toEqual([]);
});

describe('from the hub', () => {
  async function hub(files: Readonly<Record<string, Uint8Array>>): Promise<[HubServer, HubAddress]> {
    const server = await new HubServer(files).start();
    ends.push(() => server.stop());
    return [server, { kind: 'hub', repository: 'someone/model', hubUrl: server.url }];
  }

  it('finds both files, checks them against their published hashes, and asks nobody again', async () => {
    const [server, address] = await hub({
      'README.md': bytes(9, 0),
      'Model-Q4_K_M.gguf': MODEL,
      'mmproj-Model-f16.gguf': MMPROJ,
    });
    const open = await openModel(address);
    expect([open.model.name, open.mmproj.name]).toEqual(['Model-Q4_K_M.gguf', 'mmproj-Model-f16.gguf']);
    expect(open.description.model.hash).toMatch(/^[0-9a-f]{64}$/);
    await open.complete();
    expect(open.isComplete).toBe(true);
    open.close();
    server.asked.length = 0;
    const again = await openModel(address);
    await expectWhole(again);
    again.close();
    expect(server.asked).toEqual([]);
  });

  it('takes a part of a name where there are several to choose from', async () => {
    const [, address] = await hub({
      'M-Q4_0.gguf': MODEL,
      'M-Q4_0-00001-of-00002.gguf': MODEL,
      'M-Q8_0.gguf': MODEL,
      'mmproj-M-F16.gguf': MMPROJ,
    });
    const error = await openModel(address).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as Error).message).toBe(
      'someone/model has 2 files that may be the decoder: M-Q4_0.gguf (2 MB), M-Q8_0.gguf (2 MB). Choose one by a part of its name.',
    );
    const open = await openModel({ ...address, model: 'q8_0' });
    expect(open.model.name).toBe('M-Q8_0.gguf');
    open.close();
    await expect(openModel({ ...address, model: 'Q5' })).rejects.toThrow(
      'no GGUF file of a decoder with “Q5” in its name. It has M-Q4_0.gguf, M-Q8_0.gguf.',
    );
  });

  it('says what is missing', async () => {
    const [server, address] = await hub({ 'M.gguf': MODEL, 'config.json': MMPROJ });
    await expect(openModel(address)).rejects.toThrow('no GGUF file of a vision encoder (mmproj)');
    await expect(openModel({ ...address, repository: 'x' })).rejects.toThrow('owner/name');
    await expect(openModel({ ...address, repository: 'no/body' })).rejects.toThrow(
      'no/body was not found on the hub',
    );
    server.fault = 429;
    await expect(openModel(address)).rejects.toThrow('The hub answered 429 when asked for someone/model');
    server.stop();
    await expect(openModel(address)).rejects.toThrow('could not be asked for someone/model');
  });

  it('does not wait for ever, and can be cancelled', async () => {
    const [server, address] = await hub({});
    server.fault = 'silence';
    await expect(findHubModel(address, { stallMs: 200 })).rejects.toBeInstanceOf(DownloadError);
    const reason = new Error('changed my mind');
    const stop = new AbortController();
    const finding = findHubModel(address, {}, stop.signal);
    setTimeout(() => stop.abort(reason), 200);
    await expect(finding).rejects.toBe(reason);
  });

  it('tells files of one name in several folders apart, whatever they are called', async () => {
    const [, address] = await hub({
      'Q4/model.gguf': MODEL,
      'Q8 #1?/model.gguf': MODEL.toReversed(),
      'mmproj.gguf': MMPROJ,
    });
    await expect(openModel(address)).rejects.toThrow('Q4/model.gguf (2 MB), Q8 #1?/model.gguf (2 MB)');
    const open = await openModel({ ...address, model: 'q8' });
    await expectWhole(open, MODEL.toReversed());
    open.close();
  });
});
