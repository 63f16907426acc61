// Models on the Hugging Face hub: which of a repository's files are the model, and what is published of them.
import { DownloadError, InvalidInputError } from '../errors';
import { type HttpOptions, STALL_MS } from '../gguf/http-exchange';
import type { RemoteFile } from './model-store';

/** A model in a repository of the hub. */
export interface HubAddress {
  readonly kind: 'hub';
  /** `owner/name`. */
  readonly repository: string;
  /** Part of the path of the file meant, such as `Q4_K_M`; to be left out where there is one only. */
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
 *   hub does not answer, or has no such repository; the signal's reason when aborted.
 */
export async function findHubModel(
  { repository, model, mmproj, hubUrl = HUB_URL }: HubAddress,
  options: HttpOptions = {},
  signal?: AbortSignal,
): Promise<{ readonly model: RemoteFile; readonly mmproj: RemoteFile }> {
  if (!REPOSITORY.test(repository)) {
    throw new InvalidInputError(`“${repository}” is not the name of a repository; give it as owner/name.`);
  }
  const files = await listGguf(repository, hubUrl, options, signal);
  const isEncoder = ({ name }: RemoteFile) => /mmproj[^/]*$/i.test(name);
  return {
    model: only(
      files.filter((file) => !isEncoder(file)),
      model,
      { repository, what: 'decoder' },
    ),
    mmproj: only(files.filter(isEncoder), mmproj, { repository, what: 'vision encoder (mmproj)' }),
  };
}

/** Called by their paths, since several may have the same name in different folders. */
async function listGguf(
  repository: string,
  hubUrl: string,
  { fetch: fetchAny = globalThis.fetch, stallMs = STALL_MS }: HttpOptions,
  signal?: AbortSignal,
): Promise<RemoteFile[]> {
  const fetch: typeof globalThis.fetch = (input, init) => {
    const tooLong = AbortSignal.timeout(stallMs);
    return fetchAny(input, { ...init, signal: signal ? AbortSignal.any([signal, tooLong]) : tooLong });
  };
  const files: RemoteFile[] = [];
  try {
    // Large, and needed by who comes with a new model only.
    const { listFiles, modelInfo } = await import('@huggingface/hub');
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
      const encoded = path.split('/').map(encodeURIComponent).join('/');
      const url = `${hubUrl}/${repository}/resolve/${sha}/${encoded}`;
      files.push({ url, name: path, size, tag: null, ranges: true, hash: lfs?.oid ?? null });
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new DownloadError(whyNotListed(repository, cause), { cause });
  }
  return files;
}

function whyNotListed(repository: string, cause: unknown): string {
  const { statusCode, message } = cause as { readonly statusCode?: number; readonly message?: string };
  if (statusCode === 401 || statusCode === 404) {
    return `${repository} was not found on the hub, or is not open to everybody. Check the name; a model that asks you to sign in can be downloaded in your browser and opened from your disk.`;
  }
  if (statusCode) return `The hub answered ${statusCode} when asked for ${repository}. Try again later.`;
  return `The hub could not be asked for ${repository} (${message}). Check the connection and try again.`;
}

/** The one file of which the path contains `part`, in whatever case. */
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
