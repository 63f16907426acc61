// A real HTTP server over one file for tests, with every fault a server can have.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does with a request, instead of what it should. */
export type Fault =
  | { readonly status: number }
  /** Sends so many bytes of the answer, then closes the connection or says no more. */
  | { readonly cutAfter: number }
  | { readonly stallAfter: number }
  /** Says so in the headers, and sends what was asked for. */
  | { readonly headers: Readonly<Record<string, string>> };

/** A request for a part of the file: its place in the order of requests and, if it named one, its range. */
export interface Asked {
  readonly count: number;
  readonly range: readonly [first: number, last: number] | null;
}

/** A file on a server of its own. `content` may be replaced at any time. */
export class FileServer {
  ranges = true;
  /** What goes wrong with a request. */
  fault: (asked: Asked) => Fault | undefined = () => undefined;
  readonly asked: Asked[] = [];
  /** Bytes of content sent so far. */
  sent = 0;
  url = '';
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #content = new Uint8Array();
  #etag = '';

  constructor(content: Uint8Array<ArrayBuffer>) {
    this.content = content;
  }

  set content(content: Uint8Array<ArrayBuffer>) {
    this.#content = content;
    this.#etag = `"${createHash('sha1').update(content).digest('hex')}"`;
  }

  async start(): Promise<this> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/model.gguf`;
    return this;
  }

  /** Ends the server and every connection. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const content = this.#content;
    const match = request.headers.range?.match(/^bytes=(\d+)-(\d+)$/);
    const range = match ? ([Number(match[1]), Number(match[2])] as const) : null;
    const asked = { count: this.asked.length, range };
    this.asked.push(asked);
    const fault = this.fault(asked) ?? { headers: {} };
    if ('status' in fault) {
      response.writeHead(fault.status).end('no');
      return;
    }
    const [first, last] = range && this.ranges ? range : [0, content.length - 1];
    if (first >= content.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${content.length}` }).end();
      return;
    }
    const body = content.subarray(first, last + 1);
    const headers: Record<string, string> = {
      ETag: this.#etag,
      'Content-Length': String(body.length),
    };
    if (range && this.ranges) {
      headers['Content-Range'] = `bytes ${first}-${first + body.length - 1}/${content.length}`;
    }
    response.writeHead(range && this.ranges ? 206 : 200, {
      ...headers,
      ...('headers' in fault ? fault.headers : {}),
    });
    this.#send(response, body, fault);
  }

  /** In pieces, each sent before the next, so that what is not taken is not counted. */
  #send(response: ServerResponse, body: Uint8Array, fault: Fault): void {
    const end = 'cutAfter' in fault ? fault.cutAfter : 'stallAfter' in fault ? fault.stallAfter : body.length;
    let at = 0;
    const next = () => {
      if (response.destroyed) return;
      if (at >= Math.min(end, body.length)) {
        if ('cutAfter' in fault) response.destroy();
        else if (!('stallAfter' in fault)) response.end();
        return;
      }
      const piece = body.subarray(at, Math.min(at + 2 ** 16, end));
      at += piece.length;
      this.sent += piece.length;
      response.write(piece, next);
    };
    // The headers go out even where not a byte follows.
    response.flushHeaders();
    next();
  }
}
