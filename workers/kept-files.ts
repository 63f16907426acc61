// The model's files and the demo clip, downloaded once and kept on this device: a later visit asks the server
// only whether they changed, and works without it. Kept apart from the service worker's precache, which would
// download them a second time.

const CACHE = 'ringside-files';

/** Called with bytes received so far and their total, as far as the server tells it. */
export type DownloadProgress = (bytesDone: number, bytesTotal: number) => void;

/**
 * A file of this site, as on the server now, or as kept here when the server cannot be reached.
 * @throws Error naming the file when it is neither reachable nor kept.
 */
export async function keptFile(url: string, onProgress: DownloadProgress = () => {}): Promise<Blob> {
  const name = url.slice(url.lastIndexOf('/') + 1);
  const cache = await openCache();
  const kept = await cache?.match(url);
  if (kept && !navigator.onLine) return kept.blob();
  const etag = kept?.headers.get('etag');
  let response: Response;
  try {
    // With a validator of our own the browser's cache keeps out, so a large model is not stored twice.
    response = await fetch(url, { cache: 'no-store', headers: etag ? { 'If-None-Match': etag } : {} });
  } catch (cause) {
    if (kept) return kept.blob();
    throw new Error(`${name} could not be downloaded. Check the connection and try again.`, { cause });
  }
  if (kept && response.status === 304) return kept.blob();
  if (!response.ok || !response.body) {
    throw new Error(`${name} could not be downloaded: the server answered ${response.status} for ${url}.`);
  }
  const counted = new Response(response.body.pipeThrough(countBytes(response, onProgress)), {
    headers: response.headers,
  });
  if (!cache) return counted.blob();
  const forCache = counted.clone();
  const [blob] = await Promise.all([
    counted.blob(),
    // A full disk must not keep the model from running.
    cache.put(url, forCache).catch(() => cache.delete(url)),
  ]);
  return blob;
}

/** The store, or none where the browser forbids it (private windows, insecure pages). */
async function openCache(): Promise<Cache | null> {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

function countBytes(response: Response, onProgress: DownloadProgress) {
  // A compressed response announces its compressed length; better no total than a wrong one.
  const total = response.headers.has('content-encoding')
    ? 0
    : Number(response.headers.get('content-length') ?? 0);
  let done = 0;
  return new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      done += chunk.length;
      onProgress(done, Math.max(total, done));
      controller.enqueue(chunk);
    },
  });
}
