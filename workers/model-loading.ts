// A model from wherever it is to the engine: opened in the store, read by the engine while it arrives, and complete
// there when the engine has it. Where nothing can be kept, a small model is held in memory instead.
import { DownloadError, StorageError } from '../src/engine/errors';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import type { HttpOptions } from '../src/engine/gguf/http-exchange';
import { memoryFolder } from '../src/engine/store/folder';
import { type ModelAddress, useModel } from '../src/engine/store/model-address';
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

/** How a model is loaded. */
export interface LoadOptions {
  readonly http: HttpOptions;
  readonly signal: AbortSignal;
  readonly onDownload: (status: DownloadStatus) => void;
}

/**
 * Loads the model at an address. Its weights are fetched once `use` has found that they fit (`onWeights`); before,
 * only what it reads. Where the store is null, or has no room or is in use, a small model is held in memory.
 * @throws DownloadError, FileChangedError, StorageError, and what `use` throws; what has arrived stays.
 */
export async function loadKeptModel<T>(
  store: ModelStore | null,
  address: ModelAddress,
  { http, signal, onDownload }: LoadOptions,
  use: ModelUse<T>,
): Promise<Loaded<T>> {
  const run = (open: OpenModel) => runOpen(open, signal, onDownload, use);
  const inMemory = async (): Promise<Loaded<T>> => {
    const memory = new ModelStore(memoryFolder());
    const { result } = await useModel(memory, address, run, { http, signal, check: checkSmall });
    return { result, kept: false };
  };
  if (!store) return inMemory();
  let isSmall = true;
  const check = async (description: ModelDescription, bytesHere: number) => {
    isSmall = bytesOf(description) <= MEMORY_BYTES;
    await checkRoom(description, bytesHere);
  };
  try {
    const { result, open, isNewest } = await useModel(store, address, run, { http, signal, check });
    // Not waited for, and of no concern to who loads: those that another tab has open are tried for seconds.
    if (isNewest) store.deleteOthers(open).catch(() => {});
    return { result, kept: true };
  } catch (error) {
    if (!(error instanceof StorageError) || !isSmall) throw error;
    return inMemory().catch((second: unknown) => {
      throw second instanceof StorageError || second instanceof DownloadError ? error : second;
    });
  }
}

/** What a look at a model's headers gives, and how much of it is here. They are kept for the load to come. */
export async function readKeptModel<T>(
  store: ModelStore | null,
  address: ModelAddress,
  http: HttpOptions,
  look: (model: ByteSource, mmproj: ByteSource) => Promise<T>,
): Promise<{ readonly result: T; readonly bytesHere: number; readonly bytesTotal: number }> {
  const lookAt = async (open: OpenModel) => {
    try {
      const result = await look(open.model, open.mmproj);
      return { result, bytesHere: open.bytesHere, bytesTotal: open.bytesTotal };
    } finally {
      open.close();
    }
  };
  return (await useModel(store ?? new ModelStore(memoryFolder()), address, lookAt, { http })).result;
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
      signal.throwIfAborted();
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
  if (needed <= Math.max(0, free)) return;
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
