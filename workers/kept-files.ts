// The model's files and the demo clip, downloaded once and kept on this device: a later visit asks the server
// only whether they changed, and works without it. Kept apart from the service worker's precache, which would
// download them a second time.
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

/**
 * A file of this site, as on the server now, or as kept here when the server cannot be reached. It streams to
 * disk and is read from there; where there is no room to keep it, it is held in memory for this visit.
 * @throws DownloadError naming the file when it is neither reachable nor kept, or arrives incomplete.
 */
export async function keptFile(url: string, onProgress: DownloadProgress = () => {}): Promise<Blob> {
  const cache = await openCache();
  const kept = await cache?.match(url);
  if (kept && !navigator.onLine) return kept.blob();
  let response: Response;
  try {
    response = await request(url, kept);
  } catch (error) {
    if (kept) return kept.blob();
    throw error;
  }
  if (kept && response.status === 304) return kept.blob();
  if (cache && (await hasRoom(response))) {
    try {
      await consume(response, url, onProgress, (counted) => cache.put(url, counted));
      const stored = await cache.match(url);
      if (stored) return await stored.blob();
    } catch (error) {
      if (error instanceof DownloadError) throw error;
      // The disk is fuller than it said. What came is lost with it, and the model is to run all the same.
    }
    response = await request(url);
  }
  return consume(response, url, onProgress, (counted) => counted.blob());
}

/** Whether all of these files are kept, so that a visit without a network finds them. */
export async function areKept(urls: readonly string[]): Promise<boolean> {
  const cache = await openCache();
  if (!cache) return false;
  const found = await Promise.all(urls.map((url) => cache.match(url)));
  return found.every((response) => response !== undefined);
}

/** The store, or none where the browser forbids it (private windows, insecure pages). */
async function openCache(): Promise<Cache | null> {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

/** Asks for the file, or whether it differs from the one kept. @throws DownloadError unless there is an answer to use. */
async function request(url: string, kept?: Response): Promise<Response> {
  let response: Response;
  try {
    // With validators of our own the browser's cache keeps out, so a large model is not stored twice.
    response = await fetch(url, { cache: 'no-store', headers: kept ? validators(kept) : {} });
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
async function hasRoom(response: Response): Promise<boolean> {
  const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return quota === undefined || Number(response.headers.get('content-length') ?? 0) <= quota - (usage ?? 0);
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
