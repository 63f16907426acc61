// On a host that sends no header of its own the promise holds too, in the page and in its worker.

import { expect, test } from '@playwright/test';
import { builtPage, serve } from './plain-server';
import { Ringside } from './ringside';

test.setTimeout(240_000);

test('neither page nor worker reaches another origin', async ({ page }) => {
  const asked: string[] = [];
  // Would answer anybody.
  const elsewhere = await serve((request, response) => {
    asked.push(request.url!);
    response.writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Content-Type': 'text/javascript' }).end();
  });
  const host = await serve(builtPage);
  try {
    const ringside = new Ringside(page);
    await ringside.open(host.url);
    for (const place of [page, page.workers()[0]!]) {
      expect(await reaches(place, `${host.url}models/toybox/card.json`)).toBe('yes');
      expect(await reaches(place, `${elsewhere.url}fetched`)).toContain('TypeError');
      expect(await imports(place, `${elsewhere.url}imported.js`)).toContain('TypeError');
    }
    expect(asked).toEqual([]);
  } finally {
    host.close();
    elsewhere.close();
  }
});

/** The page or its worker. */
interface Place {
  evaluate(run: (address: string) => Promise<string>, address: string): Promise<string>;
}

function reaches(place: Place, url: string): Promise<string> {
  return place.evaluate((address) => fetch(address).then(() => 'yes', String), url);
}

function imports(place: Place, url: string): Promise<string> {
  return place.evaluate((address) => import(address).then(() => 'yes', String), url);
}
