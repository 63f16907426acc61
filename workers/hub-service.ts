// What the frame that reaches the hub does with a request: see `hub-frame.ts`.
import type { FrameRequest } from './hub-link';

const HUB = 'https://huggingface.co/';
const LISTING = /^\/api\/models\/[\w.-]+\/[\w.-]+\/(revision|tree)\/[\w.-]+$/;
const FILE = /^\/[\w.-]+\/[\w.-]+\/resolve\/[0-9a-f]+\/.+\.gguf$/;
/** What a listing may be asked with: which fields, whether of folders too, and from where on. */
const LISTING_KEYS = ['expand', 'recursive', 'cursor', 'limit'];
const HEADERS = ['accept', 'range'];

/** Whether an address is of what a load needs: a repository's commit, its list of files, a model file at a commit. */
export function isHubAddress(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { href, pathname, search, searchParams } = new URL(address);
  if (!href.startsWith(HUB)) return false;
  if (LISTING.test(pathname)) return [...searchParams.keys()].every((key) => LISTING_KEYS.includes(key));
  return FILE.test(pathname) && search === '';
}

/** Fetches an address and hands on the answer: its head at once, then a piece each time one is asked for. */
export async function serve({ url, headers }: FrameRequest, port: MessagePort): Promise<void> {
  const stop = new AbortController();
  const failed = (error: unknown) => port.postMessage({ error: String(error) });
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  port.onmessage = async ({ data }) => {
    if (data === 'stop') {
      stop.abort();
      port.close();
      return;
    }
    try {
      const piece = (await reader?.read())?.value;
      port.postMessage({ piece: piece ?? null }, piece ? [piece.buffer] : []);
    } catch (error) {
      failed(error);
    }
  };
  try {
    if (!isHubAddress(url)) throw new TypeError(`${url} is not fetched: it is no model of the hub.`);
    const response = await fetch(url, {
      headers: HEADERS.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal: stop.signal,
    });
    reader = response.body?.getReader();
    port.postMessage({ status: response.status, headers: [...response.headers] });
  } catch (error) {
    failed(error);
  }
}
