// A server that plays the hub: one repository, with what @huggingface/hub asks for, and its files.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** The repository `someone/model` on a hub of its own. */
export class HubServer {
  url = '';
  readonly asked: string[] = [];
  /** What it answers instead of what it should; `silence` is to answer nothing. */
  fault: number | 'silence' | null = null;
  readonly #files: Readonly<Record<string, Uint8Array>>;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  /** @param files what the repository holds, by path. */
  constructor(files: Readonly<Record<string, Uint8Array>>) {
    this.#files = files;
  }

  async start(): Promise<this> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** Ends the server and every connection. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, this.url);
    this.asked.push(pathname);
    if (this.fault === 'silence') return;
    if (this.fault !== null) {
      response.writeHead(this.fault).end();
      return;
    }
    const json = (value: unknown) =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (pathname === '/api/models/someone/model/revision/HEAD') {
      json({ _id: '1', id: 'someone/model', sha: COMMIT });
    } else if (pathname === `/api/models/someone/model/tree/${COMMIT}`) {
      json(
        Object.entries(this.#files).map(([path, bytes]) => {
          const oid = createHash('sha256').update(bytes).digest('hex');
          return { type: 'file', path, size: bytes.length, oid: 'f00', lfs: { oid, size: bytes.length } };
        }),
      );
    } else {
      const prefix = `/someone/model/resolve/${COMMIT}/`;
      const bytes = pathname.startsWith(prefix)
        ? this.#files[decodeURIComponent(pathname.slice(prefix.length))]
        : undefined;
      const [first, last] = request.headers.range?.match(/\d+/g)?.map(Number) ?? [];
      if (!bytes || first === undefined) {
        response.writeHead(404).end();
        return;
      }
      const part = bytes.subarray(first, last! + 1);
      const range = `bytes ${first}-${first + part.length - 1}/${bytes.length}`;
      response.writeHead(206, { 'Content-Range': range, 'Content-Length': part.length }).end(part);
    }
  }
}
