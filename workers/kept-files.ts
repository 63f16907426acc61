// The model's files and the demo clip, downloaded once and kept on this device: a later visit asks the server
// only whether they changed, and works without it. Kept apart from the service worker's precache, which would
// download them a second time.
//
// Files that belong together are replaced together: each version of a file has an entry of its own in the store,
// and one more entry, written last, names those that are kept.
import { EngineError } from '../src/engine/errors';

const CACHE = 'ringside-files';

/** A file of this site could not be had, and none was kept from an earlier visit. */
export class DownloadError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('DownloadError', message, options);
  }
}

/** Called with bytes received so far and their total, as far as the server tells it. */
export type DownloadProgress = (bytesDone: number, bytesTotal: number) => void;

/** A response, and the name of the store's entry that it is, or was put into. */
interface Entry {
  readonly name: string;
  readonly response: Response;
}

/**
 * Files of this site that belong together: all as on the server now, or all as kept here when one of them cannot
 * be had. They stream to disk and are read from there; where there is no room to keep them, they are held in
 * memory for this visit.
 * @throws DownloadError naming a file that is neither reachable nor kept, or arrives incomplete.
 */
export async function keptFiles(
  urls: readonly string[],
  onProgress: DownloadProgress = () => {},
): Promise<Blob[]> {
  const cache = await openCache();
  const kept = cache && (await keptEntries(cache, urls));
  if (kept && !navigator.onLine) return blobsOf(kept);
  try {
    return await download(urls, cache, kept, onProgress);
  } catch (error) {
    // Looked up again, for a body can be read only once.
    const still = cache && (await keptEntries(cache, urls));
    if (still) return blobsOf(still);
    throw error;
  }
}

/** A file that belongs to no other; see {@link keptFiles}. */
export async function keptFile(url: string): Promise<Blob> {
  return (await keptFiles([url]))[0]!;
}

/** Whether these files, fetched together, are kept, so that a visit without a network finds them. */
export async function areKept(urls: readonly string[]): Promise<boolean> {
  const cache = await openCache();
  return cache !== null && (await keptEntries(cache, urls)) !== null;
}

/** The store, or none where the browser forbids it (private windows, insecure pages). */
async function openCache(): Promise<Cache | null> {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

/** Name of the entry that lists the entries of these files. */
const listOf = ([first]: readonly string[]) => `${first}?list`;

/** The entries of these files, or null unless all are there. */
async function keptEntries(cache: Cache, urls: readonly string[]): Promise<Entry[] | null> {
  const list = await cache.match(listOf(urls));
  const names: string[] = list ? await list.json() : [];
  const responses = await Promise.all(names.map((name) => cache.match(name)));
  const entries = names.flatMap((name, i) => (responses[i] ? [{ name, response: responses[i] }] : []));
  return entries.length === urls.length ? entries : null;
}

function blobsOf(entries: readonly Entry[]): Promise<Blob[]> {
  return Promise.all(entries.map(({ response }) => response.blob()));
}

/** Fetches what is not kept, or not as on the server, and keeps it if all of it can be kept. */
async function download(
  urls: readonly string[],
  cache: Cache | null,
  kept: readonly Entry[] | null,
  onProgress: DownloadProgress,
): Promise<Blob[]> {
  const stop = new AbortController();
  /** All, or the first that fails; the others end with it. */
  const together = async <T>(running: readonly Promise<T>[]): Promise<T[]> => {
    try {
      return await Promise.all(running);
    } catch (error) {
      stop.abort();
      await Promise.allSettled(running);
      throw error;
    }
  };
  const asked = (url: string, response?: Response) => request(url, stop.signal, response);
  const bytes = urls.map(() => ({ done: 0, total: 0 }));
  const sum = (of: 'done' | 'total') => bytes.reduce((all, file) => all + file[of], 0);

  const responses = await together(urls.map((url, i) => asked(url, kept?.[i]?.response)));
  if (kept && responses.every(({ status }) => status === 304)) return blobsOf(kept);
  const store = cache && (await hasRoom(responses)) ? cache : null;
  const receive = async (url: string, i: number): Promise<{ blob: Blob; name?: string }> => {
    let response = responses[i]!;
    const before = kept?.[i];
    if (before && response.status === 304) return { name: before.name, blob: await before.response.blob() };
    const counted: DownloadProgress = (done, total) => {
      bytes[i] = { done, total };
      onProgress(sum('done'), sum('total'));
    };
    if (store) {
      const name = `${url}?${crypto.randomUUID()}`;
      try {
        await consume(response, url, counted, (body) => store.put(name, body));
        const stored = await store.match(name);
        if (stored) return { name, blob: await stored.blob() };
      } catch (error) {
        if (error instanceof DownloadError) throw error;
        // The disk is fuller than it said. What came is lost with it, and the model is to run all the same.
      }
      response = await asked(url);
    }
    return { blob: await consume(response, url, counted, (body) => body.blob()) };
  };
  try {
    const files = await together(urls.map(receive));
    const names = files.map(({ name }) => name);
    if (names.every((name) => name !== undefined)) {
      await cache?.put(listOf(urls), new Response(JSON.stringify(names)));
    }
    return files.map(({ blob }) => blob);
  } finally {
    if (cache) await sweep(cache, urls);
  }
}

/** Deletes the entries of these files that their list does not name: earlier versions, and downloads that failed. */
async function sweep(cache: Cache, urls: readonly string[]): Promise<void> {
  const kept = await keptEntries(cache, urls);
  const named = kept ? [listOf(urls), ...kept.map(({ name }) => name)] : [];
  for (const { url } of await cache.keys()) {
    if (urls.includes(url.split('?')[0]!) && !named.includes(url)) await cache.delete(url);
  }
}

/** Asks for the file, or whether it differs from the one kept. @throws DownloadError unless there is an answer to use. */
async function request(url: string, signal: AbortSignal, kept?: Response): Promise<Response> {
  let response: Response;
  try {
    // With validators of our own the browser's cache keeps out, so a large model is not stored twice.
    response = await fetch(url, { cache: 'no-store', headers: kept ? validators(kept) : {}, signal });
  } catch (cause) {
    throw new DownloadError(`${nameOf(url)} could not be downloaded. Check the connection and try again.`, {
      cause,
    });
  }
  if ((response.ok && response.body) || (kept && response.status === 304)) return response;
  throw new DownloadError(
    `${nameOf(url)} could not be downloaded: the server answered ${response.status} for ${url}.`,
  );
}

/** What a server can tell by that a file is still the same. Without either it is downloaded again. */
function validators({ headers }: Response): Record<string, string> {
  const etag = headers.get('etag');
  const modified = headers.get('last-modified');
  if (etag) return { 'If-None-Match': etag };
  return modified ? { 'If-Modified-Since': modified } : {};
}

/** Whether the browser allows this site so much more, as far as it and the server tell. */
async function hasRoom(responses: readonly Response[]): Promise<boolean> {
  const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  const lengths = responses.map(({ ok, headers }) => (ok ? Number(headers.get('content-length') ?? 0) : 0));
  return quota === undefined || lengths.reduce((sum, length) => sum + length, 0) <= quota - (usage ?? 0);
}

/**
 * Hands the response on to whoever reads it to its end, and tells of its progress.
 * @throws DownloadError if its body breaks off; else what `read` throws.
 */
async function consume<T>(
  response: Response,
  url: string,
  onProgress: DownloadProgress,
  read: (counted: Response) => Promise<T>,
): Promise<T> {
  // A compressed response announces its compressed length; better no total than a wrong one.
  const total = response.headers.has('content-encoding')
    ? 0
    : Number(response.headers.get('content-length') ?? 0);
  const reader = response.body!.getReader();
  let done = 0;
  let broken: DownloadError | undefined;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = await reader.read();
        if (chunk.done) return controller.close();
        done += chunk.value.length;
        onProgress(done, Math.max(total, done));
        controller.enqueue(chunk.value);
      } catch (cause) {
        broken = new DownloadError(
          `${nameOf(url)} broke off after ${done} bytes. Check the connection and try again.`,
          { cause },
        );
        controller.error(broken);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  try {
    return await read(new Response(body, { headers: response.headers }));
  } catch (error) {
    // Browsers tell the reader of a broken body in words of their own.
    throw broken ?? error;
  }
}

function nameOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}
