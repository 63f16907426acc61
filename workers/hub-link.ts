// The engine's line to the hub: a frame opened by the page, and a `fetch` for the worker that asks it. See
// `hub-frame.ts` for why.

/** What the frame is asked for. The port that comes with it takes the answer. */
export interface FrameRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the frame says of an answer, and then of each piece of it; `piece` is null at the end. */
type FrameAnswer =
  | { readonly status: number; readonly headers: [string, string][] }
  | { readonly piece: Uint8Array<ArrayBuffer> | null }
  | { readonly error: string };

/** How long the frame may take to answer once it is loaded. */
const READY_MS = 5000;

/**
 * Opens the frame.
 * @returns a port for {@link portFetch}, to be handed to a worker, or none where the frame does not work, as without a
 *   network; and how to close the frame.
 */
export async function openHubFrame(): Promise<{ readonly port?: MessagePort; close(): void }> {
  const frame = document.createElement('iframe');
  frame.src = new URL('hub.html', document.baseURI).href;
  frame.hidden = true;
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
  document.body.append(frame);
  await loaded;
  const { port1, port2 } = new MessageChannel();
  const isReady = new Promise<boolean>((resolve) => {
    port1.onmessage = () => resolve(true);
    setTimeout(() => resolve(false), READY_MS);
  });
  frame.contentWindow!.postMessage(null, location.origin, [port2]);
  return { port: (await isReady) ? port1 : undefined, close: () => frame.remove() };
}

/** `fetch` through the frame; it knows no method but GET, and no options but headers and a signal. */
export function portFetch(port: MessagePort): typeof fetch {
  return async (input, { method = 'GET', headers, signal } = {}) => {
    if (method !== 'GET') throw new TypeError(`Of the hub files are read only; ${method} is not for it.`);
    signal?.throwIfAborted();
    const { port1: own, port2: theirs } = new MessageChannel();
    const end = () => {
      signal?.removeEventListener('abort', aborted);
      own.postMessage('stop');
      own.close();
    };
    let resolve: (answer: FrameAnswer) => void;
    let reject: (error: unknown) => void;
    /** The answer to what was just sent: there is one to each message. */
    const answer = () =>
      new Promise<FrameAnswer>((...settle) => {
        [resolve, reject] = settle;
      });
    const aborted = () => {
      end();
      reject(signal!.reason);
    };
    signal?.addEventListener('abort', aborted);
    own.onmessage = ({ data }: MessageEvent<FrameAnswer>) => {
      if (!('error' in data)) return resolve(data);
      end();
      reject(new TypeError(data.error));
    };
    const request: FrameRequest = {
      url: String(input),
      headers: Object.fromEntries(new Headers(headers)),
    };
    const head = answer();
    port.postMessage(request, [theirs]);
    const { status, headers: answered } = (await head) as Extract<FrameAnswer, { status: number }>;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          // Also when that was between two pieces.
          signal?.throwIfAborted();
          const next = answer();
          own.postMessage('more');
          const { piece } = (await next) as Extract<FrameAnswer, { piece: unknown }>;
          if (piece) return controller.enqueue(piece);
          end();
          controller.close();
        },
        cancel: end,
      },
      // No faster than it is taken.
      { highWaterMark: 0 },
    );
    return new Response(body, { status, headers: answered });
  };
}
