// Models that commands name by address or by repository, downloaded once into a folder of the user's.

import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ModelAddress, useModel } from '../src/engine/store/model-address';
import { ModelStore, type OpenModel } from '../src/engine/store/model-store';
import { nodeFolder } from '../src/engine/store/node-folder';
import { UsageError } from './command';

const PROGRESS_MS = 5000;

/**
 * What `--model` and `--mmproj` name if that is no file: two addresses, or `hf:owner/name`, to which `:part` of a
 * file's name may be added where the repository has several, and as `--mmproj` by itself.
 * The hub is that of `HF_ENDPOINT`, if that is set.
 * @returns null for paths of files.
 * @throws UsageError when only one of them is an address.
 */
export function modelAddress(model: string, mmproj: string | undefined): ModelAddress | null {
  const [, repository, part] = model.match(/^hf:([^:]*)(?::(.+))?$/) ?? [];
  if (repository !== undefined) {
    const hubUrl = process.env.HF_ENDPOINT?.replace(/\/+$/, '') || undefined;
    return { kind: 'hub', repository, model: part, mmproj, hubUrl };
  }
  const areUrls = [model, mmproj].map((text) => /^https?:/.test(text ?? ''));
  if (!areUrls[0] && !areUrls[1]) return null;
  if (areUrls[0] && areUrls[1]) return { kind: 'urls', model, mmproj: mmproj! };
  throw new UsageError('Give --model and --mmproj both as addresses, or both as files.');
}

/** Opens the model at an address, downloading what is not here yet. Errors as `useModel`. */
export async function downloadModel(address: ModelAddress): Promise<OpenModel> {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const store = new ModelStore(await nodeFolder(join(cache, 'ringside/models')));
  const { open, isNewest } = await useModel(store, address, complete);
  if (isNewest) await store.deleteOthers(open);
  return open;
}

/** Brings all of a model here and tells on the way how much that is. */
async function complete(open: OpenModel): Promise<void> {
  if (open.isComplete) return;
  const tell = () => {
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    console.error(
      `downloading ${open.model.name}: ${megabytes(open.bytesHere)} of ${megabytes(open.bytesTotal)} MB`,
    );
  };
  tell();
  const telling = setInterval(tell, PROGRESS_MS);
  try {
    await open.complete();
  } catch (error) {
    open.close();
    throw error;
  } finally {
    clearInterval(telling);
  }
}
