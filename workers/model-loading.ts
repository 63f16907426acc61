// A model from wherever it is to the engine: opened in the store, read by the engine while it arrives, and complete
// there when the engine has it. Where nothing can be kept, a small model is held in memory instead.
import { DownloadError, FileChangedError, StorageError } from '../src/engine/errors';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import type { HttpOptions } from '../src/engine/gguf/http-exchange';
import { memoryFolder } from '../src/engine/store/folder';
import { keyOf, type ModelAddress, openModel } from '../src/engine/store/model-address';
import { bytesOf, type ModelDescription, ModelStore, type OpenModel } from '../src/engine/store/model-store';
import { opfsFolder } from './opfs-folder';
import type { DownloadStatus } from './protocol';
import { Speedometer } from './speedometer';

/** Largest model that is held in memory where it cannot be kept: the bundled one, many times over. */
const MEMORY_BYTES = 64 * 2 ** 20;
const STATUS_MS = 200;

/** Makes something of a model's files. `onWeights` is to be called once it is clear that they fit. */
export type ModelUse<T> = (
  model: ByteSource,
  mmproj: ByteSource,
  onWeights: () => void,
) => Promise<T & { dispose(): void }>;

/** What became of a model's files. */
export interface Loaded<T> {
  readonly result: T;
  /** Whether all of the model is on this device now, for a visit without a network. */
  readonly kept: boolean;
}

/** The store of this device, or null where the browser keeps nothing. */
export async function modelStore(): Promise<ModelStore | null> {
  const folder = await opfsFolder();
  return folder && new ModelStore(folder);
}

/**
 * Loads the model at an address. Its weights are fetched once `use` has found that they fit (`onWeights`); before,
 * only what it reads.
 * @throws DownloadError, FileChangedError, StorageError, and what `use` throws; what has arrived stays.
 */
export async function loadKeptModel<T>(
  address: ModelAddress,
  options: HttpOptions,
  signal: AbortSignal,
  onDownload: (status: DownloadStatus) => void,
  use: ModelUse<T>,
): Promise<Loaded<T>> {
  const store = await modelStore();
  let bytes = 0;
  const run = (open: OpenModel) => runOpen(open, signal, onDownload, use);
  if (store) {
    try {
      const open = await openModel(store, address, options, signal, async (description, bytesHere) => {
        bytes = bytesOf(description);
        await checkRoom(description, bytesHere);
      });
      const result = await run(open).catch((error: unknown) => useOlder(store, address, open.id, run, error));
      await store.deleteOthers(open);
      return { result, kept: true };
    } catch (error) {
      if (!(error instanceof StorageError) || bytes > MEMORY_BYTES) throw error;
    }
  }
  const open = await openModel(new ModelStore(memoryFolder()), address, options, signal, checkSmall);
  return { result: await run(open), kept: false };
}

/** What a look at a model's headers gives, and how much of it is here. They are kept for the load to come. */
export async function readKeptModel<T>(
  address: ModelAddress,
  options: HttpOptions,
  look: (model: ByteSource, mmproj: ByteSource) => Promise<T>,
): Promise<{ readonly result: T; readonly bytesHere: number; readonly bytesTotal: number }> {
  const store = (await modelStore()) ?? new ModelStore(memoryFolder());
  const open = await openModel(store, address, options);
  try {
    const result = await look(open.model, open.mmproj);
    return { result, bytesHere: open.bytesHere, bytesTotal: open.bytesTotal };
  } finally {
    open.close();
  }
}

/** Gives an earlier version of the model to `run` where the new one could not be had. */
async function useOlder<T>(
  store: ModelStore,
  address: ModelAddress,
  id: string,
  run: (open: OpenModel) => Promise<T>,
  error: unknown,
): Promise<T> {
  const older = (await store.list()).find(
    (kept) => kept.isComplete && kept.id !== id && kept.description.key === keyOf(address),
  );
  if (older && (error instanceof DownloadError || error instanceof FileChangedError)) {
    return run(await store.open(older.description));
  }
  throw error;
}

async function runOpen<T>(
  open: OpenModel,
  signal: AbortSignal,
  onDownload: (status: DownloadStatus) => void,
  use: ModelUse<T>,
): Promise<T> {
  const cancel = () => open.stop(signal.reason);
  signal.addEventListener('abort', cancel);
  const speed = new Speedometer();
  const tell = () => {
    const { bytesHere, bytesTotal } = open;
    onDownload({ bytesHere, bytesTotal, ...speed.at(performance.now(), bytesHere, bytesTotal) });
  };
  const ticking = setInterval(tell, STATUS_MS);
  let all: Promise<void> | undefined;
  const fetchAll = () => {
    all ??= open.complete();
    // Its failure is told below, or by the read that it fails.
    all.catch(() => {});
    return all;
  };
  try {
    signal.throwIfAborted();
    tell();
    const result = await use(open.model, open.mmproj, fetchAll);
    try {
      await fetchAll();
    } catch (error) {
      result.dispose();
      throw error;
    }
    tell();
    return result;
  } finally {
    clearInterval(ticking);
    signal.removeEventListener('abort', cancel);
    open.close();
  }
}

/** @throws StorageError when the browser says that what is still to be fetched does not fit. */
async function checkRoom(description: ModelDescription, bytesHere: number): Promise<void> {
  const { quota, usage } = (await navigator.storage.estimate?.().catch(() => null)) ?? {};
  const needed = bytesOf(description) - bytesHere;
  const free = quota === undefined ? needed : quota - (usage ?? 0);
  if (needed <= free) return;
  throw new StorageError(
    `${description.model.name} and ${description.mmproj.name} need ${megabytes(needed)} more on this device, but the browser allows this site only ${megabytes(Math.max(0, free))} more. Delete a model that is kept or free some space, and load again.`,
  );
}

/** @throws StorageError when a model is too large to be held in memory. */
async function checkSmall(description: ModelDescription): Promise<void> {
  if (bytesOf(description) <= MEMORY_BYTES) return;
  throw new StorageError(
    `This browser keeps no files for this page, as in a private window, and ${megabytes(bytesOf(description))} are too much to be downloaded at each visit. Open the page in an ordinary window, or download the two files yourself and open them from your disk.`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString('en-US')} MB`;
}
