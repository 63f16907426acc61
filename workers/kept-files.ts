// Small files of this site besides models — their cards, the demo clip — downloaded once and kept in the browser's
// cache: a later visit asks the server only whether they changed, and works without it. Kept apart from the service
// worker's precache, which knows the page's own files only. (Models: `src/engine/store/`.)
import { DownloadError } from '../src/engine/errors';
import { fileName } from '../src/engine/gguf/http-source';

const CACHE = 'ringside-small-files';
/** Held models as well, which nobody asks it for any more. */
const FORMER_CACHE = 'ringside-files';
let formerGone: Promise<boolean> | undefined;

/**
 * A file of this site as on the server now, or as kept here when it cannot be had.
 * @throws DownloadError when it is neither reachable nor kept.
 */
export async function keptFile(url: string): Promise<Blob> {
  const cache = await openCache();
  const kept = await cache?.match(url);
  if (kept && !navigator.onLine) return kept.blob();
  try {
    const response = await request(url, kept);
    if (kept && response.status === 304) return await kept.blob();
    const blob = await response.blob();
    // Where there is no room it is had for this visit.
    await cache?.put(url, new Response(blob, { headers: response.headers })).catch(() => {});
    return blob;
  } catch (cause) {
    // Looked up again, for a body can be read only once.
    const still = await cache?.match(url);
    if (still) return still.blob();
    if (cause instanceof DownloadError) throw cause;
    throw new DownloadError(`${fileName(url)} could not be downloaded. Check the connection and try again.`, {
      cause,
    });
  }
}

/** Whether a file is kept, so that a visit without a network finds it. */
export async function isKept(url: string): Promise<boolean> {
  return (await (await openCache())?.match(url)) !== undefined;
}

/** The cache, or none where the browser forbids it (private windows, insecure pages). */
async function openCache(): Promise<Cache | null> {
  try {
    formerGone ??= caches.delete(FORMER_CACHE);
    await formerGone;
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

/** Asks for the file, or whether it differs from the one kept. @throws DownloadError when the server refuses. */
async function request(url: string, kept?: Response): Promise<Response> {
  // With validators of our own the browser's cache keeps out, so that nothing is stored twice.
  const response = await fetch(url, { cache: 'no-store', headers: kept ? validators(kept) : {} });
  if (response.ok || (kept && response.status === 304)) return response;
  throw new DownloadError(
    `${fileName(url)} could not be downloaded: the server answered ${response.status} for ${url}.`,
  );
}

/** What a server can tell by that a file is still the same. Without either it is downloaded again. */
function validators({ headers }: Response): Record<string, string> {
  const etag = headers.get('etag');
  const modified = headers.get('last-modified');
  if (etag) return { 'If-None-Match': etag };
  return modified ? { 'If-Modified-Since': modified } : {};
}
