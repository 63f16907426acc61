// Runs in `hub.html`, a frame that is there only while a model of the hub is loaded. Page and engine may talk to
// their own site only; this frame to the hub only (its content policy says so), and it knows nothing but the
// addresses that it is asked for. `hub-link.ts` is the other end.
import type { FrameRequest } from './hub-link';

addEventListener('message', ({ source, ports: [port] }) => {
  if (source !== parent || !port) return;
  port.onmessage = ({ data, ports: [answer] }: MessageEvent<FrameRequest>) => void serve(data, answer!);
  port.postMessage('ready');
});

/** Fetches an address and hands on the answer: its head at once, then a piece each time one is asked for. */
async function serve({ url, headers }: FrameRequest, port: MessagePort): Promise<void> {
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
    const response = await fetch(url, {
      headers,
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
