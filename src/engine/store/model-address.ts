// What people name a model by, and what is then found there.
import { DownloadError, FileChangedError, StorageError } from '../errors';
import type { HttpOptions } from '../gguf/http-exchange';
import { findHttpFile } from '../gguf/http-source';
import { findHubModel, type HubAddress } from './hub';
import { idOf, type ModelDescription, type ModelStore, type OpenModel } from './model-store';

/** Two files at addresses of their own. */
export interface UrlAddress {
  readonly kind: 'urls';
  readonly model: string;
  readonly mmproj: string;
}

export type ModelAddress = UrlAddress | HubAddress;

/** Where there is something to fall back on, an answer is not waited for long. */
const ONE_TRY: HttpOptions = { retries: 0, stallMs: 5000 };

/** What the versions of a model have in common in the store. */
export function keyOf(address: ModelAddress): string {
  if (address.kind === 'urls') return JSON.stringify([address.model, address.mmproj]);
  return JSON.stringify([address.repository, address.model ?? '', address.mmproj ?? '']);
}

/** Asks the servers what is at an address. @throws DownloadError when the files cannot be had or chosen. */
export async function describeModel(
  address: ModelAddress,
  options: HttpOptions = {},
  signal?: AbortSignal,
): Promise<ModelDescription> {
  const key = keyOf(address);
  if (address.kind === 'hub') return { key, ...(await findHubModel(address, options, signal)) };
  const [model, mmproj] = await Promise.all(
    [address.model, address.mmproj].map((url) => findHttpFile(url, options, signal)),
  );
  return { key, model: { ...model!, hash: null }, mmproj: { ...mmproj!, hash: null } };
}

export interface UseOptions {
  readonly http?: HttpOptions;
  readonly signal?: AbortSignal;
  /** Called with what is about to be opened and what of it is here; may throw to keep it from being begun. */
  readonly check?: (description: ModelDescription, bytesHere: number) => Promise<void>;
}

/** What came of a model, and of which version of it. */
export interface Used<T> {
  readonly result: T;
  readonly open: OpenModel;
  /** Whether that is the version that the servers have now, so that others may go; false where nobody was asked. */
  readonly isNewest: boolean;
}

/**
 * Opens what an address holds and gives it to `use`: as on the server now, or, where that cannot be had or kept, the
 * newest version that is all here. A model of the hub stays as it was when it was downloaded, and nobody is asked
 * about it again.
 * @param use is to close what it is given, at the latest when it fails. It may be called a second time, with an older
 *   version, when it fails with one of the errors below.
 * @throws DownloadError, FileChangedError, StorageError, InvalidInputError, and what `use` and `check` throw.
 */
export async function useModel<T>(
  store: ModelStore,
  address: ModelAddress,
  use: (open: OpenModel) => Promise<T>,
  { http = {}, signal, check }: UseOptions = {},
): Promise<Used<T>> {
  const kept = (await store.list()).filter(({ description }) => description.key === keyOf(address));
  const complete = kept.filter(({ isComplete }) => isComplete);
  const useVersion = async (description: ModelDescription, isNewest: boolean): Promise<Used<T>> => {
    const id = idOf(description);
    await check?.(description, kept.find((version) => version.id === id)?.bytesHere ?? 0);
    const open = await store.open(description, http);
    return { result: await use(open), open, isNewest };
  };
  let older = complete[0];
  if (older && address.kind === 'hub') return useVersion(older.description, false);
  try {
    const newest = await describeModel(address, older ? { ...http, ...ONE_TRY } : http, signal);
    older = complete.find(({ id }) => id !== idOf(newest));
    return await useVersion(newest, true);
  } catch (error) {
    const isOfFiles = [DownloadError, FileChangedError, StorageError].some((kind) => error instanceof kind);
    if (!older || !isOfFiles || signal?.aborted) throw error;
    return useVersion(older.description, false);
  }
}
