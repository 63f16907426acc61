// What people name a model by, and what is then found there.
import { DownloadError } from '../errors';
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
  if (address.kind === 'hub') return { key, ...(await findHubModel(address, options)) };
  const [model, mmproj] = await Promise.all(
    [address.model, address.mmproj].map((url) => findHttpFile(url, options, signal)),
  );
  return { key, model: { ...model!, hash: null }, mmproj: { ...mmproj!, hash: null } };
}

/**
 * Opens what an address holds: as on the server now, or, when that cannot be had, as it is kept. A model of the hub
 * stays as it was when it was downloaded, and nobody is asked about it again.
 * @param check called with what is about to be opened and what of it is here; may throw to keep it from being begun.
 */
export async function openModel(
  store: ModelStore,
  address: ModelAddress,
  options: HttpOptions = {},
  signal?: AbortSignal,
  check: (description: ModelDescription, bytesHere: number) => Promise<void> = async () => {},
): Promise<OpenModel> {
  const kept = (await store.list()).filter(({ description }) => description.key === keyOf(address));
  const complete = kept.find(({ isComplete }) => isComplete);
  if (complete && address.kind === 'hub') return store.open(complete.description, options);
  let description: ModelDescription;
  try {
    description = await describeModel(address, complete ? { ...options, ...ONE_TRY } : options, signal);
  } catch (error) {
    if (complete && error instanceof DownloadError) return store.open(complete.description, options);
    throw error;
  }
  const same = kept.find(({ id }) => id === idOf(description));
  await check(description, same?.bytesHere ?? 0);
  return store.open(description, options);
}
