// A static host as plain as they come: files with type and date, and not one header of policy.

import { createReadStream, statSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

/** Serves the built page, in ranges where asked for; tells when a file is still the same as on its date. */
export const builtPage: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url!, 'http://host');
  const name = normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
  const file = join(import.meta.dirname, '../dist', name);
  const found = statSync(file, { throwIfNoEntry: false });
  const date = found?.mtime.toUTCString();
  if (!found || !date) {
    response.writeHead(404).end();
  } else if (request.headers['if-modified-since'] === date) {
    response.writeHead(304).end();
  } else {
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    const [start = 0, last = found.size - 1] = request.headers.range?.match(/\d+/g)?.map(Number) ?? [];
    const end = Math.min(last, found.size - 1);
    const headers = { 'Content-Type': type, 'Last-Modified': date, 'Content-Length': end + 1 - start };
    if (request.headers.range) {
      response.writeHead(206, { ...headers, 'Content-Range': `bytes ${start}-${end}/${found.size}` });
    } else {
      response.writeHead(200, headers);
    }
    createReadStream(file, { start, end }).pipe(response);
  }
};

/** Starts a server on a free port. @returns its address, ending in a slash, and how to end it. */
export async function serve(listener: RequestListener): Promise<{ url: string; close: () => void }> {
  const server: Server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, 'localhost', listening));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close };
}
