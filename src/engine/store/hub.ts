// Models on the Hugging Face hub: which of a repository's files are the model, and what is published of them.
import { DownloadError, InvalidInputError } from '../errors';
import type { HttpOptions } from '../gguf/http-exchange';
import { fileName } from '../gguf/http-source';
import type { RemoteFile } from './model-store';

/** A model in a repository of the hub. */
export interface HubAddress {
  readonly kind: 'hub';
  /** `owner/name`. */
  readonly repository: string;
  /** Part of the name of the file meant, such as `Q4_K_M`; to be left out where there is one only. */
  readonly model?: string;
  readonly mmproj?: string;
  /** Where the hub is, if not at huggingface.co. */
  readonly hubUrl?: string;
}

const HUB_URL = 'https://huggingface.co';
/** How files that together are one are called. */
const SPLIT = /-\d{5}-of-\d{5}\.gguf$/;
const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;

/**
 * Finds the decoder and the vision encoder of a repository, as they are at its newest commit.
 * @throws InvalidInputError when the name is none, or the files meant are none or several; DownloadError when the
 *   hub does not answer, or has no such repository.
 */
export async function findHubModel(
  { repository, model, mmproj, hubUrl = HUB_URL }: HubAddress,
  { fetch }: HttpOptions = {},
): Promise<{ readonly model: RemoteFile; readonly mmproj: RemoteFile }> {
  if (!REPOSITORY.test(repository)) {
    throw new InvalidInputError(`“${repository}” is not the name of a repository; give it as owner/name.`);
  }
  const files = await listGguf(repository, hubUrl, fetch);
  const isEncoder = ({ name }: RemoteFile) => /mmproj/i.test(name);
  return {
    model: only(
      files.filter((file) => !isEncoder(file)),
      model,
      { repository, what: 'decoder' },
    ),
    mmproj: only(files.filter(isEncoder), mmproj, { repository, what: 'vision encoder (mmproj)' }),
  };
}

async function listGguf(
  repository: string,
  hubUrl: string,
  fetch?: typeof globalThis.fetch,
): Promise<RemoteFile[]> {
  // Large, and needed by who comes with a new model only.
  const { listFiles, modelInfo } = await import('@huggingface/hub');
  const files: RemoteFile[] = [];
  try {
    // At one commit, so that nothing changes in the middle of a download.
    const { sha } = await modelInfo({ name: repository, additionalFields: ['sha'], hubUrl, fetch });
    const repo = { type: 'model', name: repository } as const;
    for await (const { path, size, lfs } of listFiles({
      repo,
      revision: sha,
      recursive: true,
      hubUrl,
      fetch,
    })) {
      if (!path.endsWith('.gguf')) continue;
      const url = `${hubUrl}/${repository}/resolve/${sha}/${encodeURI(path)}`;
      files.push({ url, name: fileName(url), size, tag: null, ranges: true, hash: lfs?.oid ?? null });
    }
  } catch (cause) {
    throw new DownloadError(
      `${repository} was not found on the hub, or is not open to everybody (${cause instanceof Error ? cause.message : cause}). Check name and connection; a model that asks you to sign in can be downloaded in your browser and opened from your disk.`,
      { cause },
    );
  }
  return files;
}

/** The one file of which the name contains `part`, in whatever case. */
function only(
  files: readonly RemoteFile[],
  part: string | undefined,
  { repository, what }: { readonly repository: string; readonly what: string },
): RemoteFile {
  const usable = files.filter(({ name }) => !SPLIT.test(name));
  const wanted = part?.toLowerCase() ?? '';
  const exact = usable.filter(({ name }) => name.toLowerCase() === wanted);
  const found = exact.length > 0 ? exact : usable.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (found.length === 1) return found[0]!;
  const asked = part === undefined ? '' : ` with “${part}” in its name`;
  if (found.length > 1) {
    const names = found.map(({ name, size }) => `${name} (${(size / 1e6).toFixed(0)} MB)`);
    throw new InvalidInputError(
      `${repository} has ${found.length} files that may be the ${what}${asked}: ${names.join(', ')}. Choose one by a part of its name.`,
    );
  }
  const there = usable.length > 0 ? ` It has ${usable.map(({ name }) => name).join(', ')}.` : '';
  const split = usable.length < files.length ? ' Files that are split into parts cannot be loaded.' : '';
  throw new InvalidInputError(
    `${repository} has no GGUF file of a ${what}${asked}.${there}${split} Choose a repository that has both files, often called …-GGUF.`,
  );
}
