// The HTTP source against a real server that does everything wrong that servers do.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DownloadError, FileChangedError, InvalidInputError } from '../errors';
import { fileName, findHttpFile, HttpSource } from './http-source';
import { FileServer } from './testing/file-server';

const SIZE = 300_000;
const content = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7 + (i >> 8)) % 256);
/** Short enough for tests, long enough for a busy machine. */
const PATIENCE = { stallMs: 10_000, retries: 3, retryMs: 5 };
const IMPATIENCE = { ...PATIENCE, stallMs: 300 };

let server: FileServer;
beforeEach(async () => {
  server = await new FileServer(content).start();
});
afterEach(() => server.stop());

const open = async (options = PATIENCE) => new HttpSource(await findHttpFile(server.url, PATIENCE), options);
/** Whether the source still gives the right bytes. */
async function expectRight(source: HttpSource, offset: number, length: number): Promise<void> {
  const bytes = await source.read(offset, length);
  expect(Buffer.compare(bytes, content.subarray(offset, offset + length)), `${offset} + ${length}`).toBe(0);
}

describe('a server as it should be', () => {
  it('tells name, size and version, and gives exact ranges, many at a time', async () => {
    const file = await findHttpFile(server.url, PATIENCE);
    expect(file).toMatchObject({ name: 'model.gguf', size: SIZE, tag: expect.stringMatching(/^"/) });
    const source = new HttpSource(file, PATIENCE);
    const places = [0, 1, 65_535, 65_537, 200_000, SIZE - 1];
    await Promise.all(places.map((offset) => expectRight(source, offset, Math.min(70_000, SIZE - offset))));
    expect(await source.read(7, 0)).toHaveLength(0);
    await expect(source.read(SIZE - 5, 10)).rejects.toThrow('bytes 299995 to 300005 were asked for');
    expect(file.ranges).toBe(true);
  });

  it('is read no faster than the bytes are taken', async () => {
    server.content = new Uint8Array(32 * 2 ** 20);
    const source = await open();
    for await (const chunk of source.stream(0, source.size)) {
      expect(chunk.length).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 300));
      break;
    }
    expect(server.sent).toBeLessThan(24 * 2 ** 20);
  });

  it('is let go of when aborted, also during a pause', async () => {
    const source = await open();
    server.fault = () => ({ stallAfter: 1000 });
    const reading = source.read(0, 5000, AbortSignal.timeout(50));
    await expect(reading).rejects.toMatchObject({ name: 'TimeoutError' });
    server.fault = () => ({ status: 503 });
    const patient = new HttpSource(await fileOf(source), { ...PATIENCE, retryMs: 60_000 });
    await expect(patient.read(0, 10, AbortSignal.timeout(100))).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

/** The same file, known without asking. */
const fileOf = async ({ name, size }: HttpSource) => ({
  url: server.url,
  name,
  size,
  tag: null,
  ranges: true,
});

describe('a server in trouble', () => {
  it.each([500, 503, 429, 408])('that answers %i is asked again', async (status) => {
    server.fault = ({ count }) => (count % 3 < 2 ? { status } : undefined);
    await expectRight(await open(), 1000, 50_000);
  });

  it('that stays so is given up, by name', async () => {
    const source = await open();
    server.fault = () => ({ status: 500 });
    const error = await source.read(0, 10).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DownloadError);
    expect((error as Error).message).toBe(
      'model.gguf could not be downloaded (the server answered 500). Check the connection and try again.',
    );
    expect(server.asked).toHaveLength(1 + 1 + PATIENCE.retries);
  });

  it.each(['cutAfter', 'stallAfter'] as const)(
    'that breaks off (%s) goes on at the byte where it ended, as often as it takes',
    async (kind) => {
      const source = await open(IMPATIENCE);
      // More often than a request is retried: what arrives between makes the difference.
      server.fault = () => ({ [kind]: 40_000 }) as { cutAfter: number };
      await expectRight(source, 10, 280_000);
      const ranges = server.asked.slice(1).map(({ range }) => range![0]);
      expect(ranges).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => 10 + 40_000 * i));
    },
  );

  it('that sends nothing, or is not there, is given up', async () => {
    const source = await open(IMPATIENCE);
    server.fault = () => ({ stallAfter: 0 });
    await expect(source.read(0, 10)).rejects.toThrow('nothing came for 0.3 s');
    server.stop();
    await expect(source.read(0, 10)).rejects.toBeInstanceOf(DownloadError);
    await expect(findHttpFile(server.url, PATIENCE)).rejects.toThrow('model.gguf could not be downloaded');
  });
});

describe('a server that refuses', () => {
  it.each([404, 410])('with %i is not asked again', async (status) => {
    server.fault = () => ({ status });
    await expect(findHttpFile(server.url, PATIENCE)).rejects.toThrow(
      `model.gguf could not be downloaded: the server answered ${status}. Check the address`,
    );
    expect(server.asked).toHaveLength(1);
  });

  it('strangers says what to do', async () => {
    server.fault = () => ({ status: 401 });
    await expect(findHttpFile(server.url, PATIENCE)).rejects.toThrow('open it from your disk');
  });

  it('a range with 416 is not asked again', async () => {
    const source = await open();
    server.fault = () => ({ status: 416 });
    await expect(source.read(0, 10)).rejects.toThrow('the server answered 416');
    expect(server.asked).toHaveLength(2);
  });
});

describe('a server without ranges', () => {
  it('sends the whole file, of which the rest is skipped', async () => {
    server.ranges = false;
    const source = await open();
    await expectRight(source, 0, 70_000);
    await expectRight(source, 120_001, 70_000);
    expect(source.file.ranges).toBe(false);
  });

  it('that breaks off before what was asked for is given up', async () => {
    server.ranges = false;
    const source = await open();
    server.fault = () => ({ cutAfter: 100_000 });
    await expectRight(source, 0, 90_000);
    await expect(source.read(150_000, 10)).rejects.toBeInstanceOf(DownloadError);
  });
});

describe('a server that lies', () => {
  it.each([
    [
      'sends other bytes than it was asked for',
      'bytes 5-14/300000',
      /sends the bytes from 5 on where 0/,
      DownloadError,
    ],
    ['tells another size', 'bytes 0-9/299999', /was replaced on the server/, FileChangedError],
  ])('and %s', async (_, range, message, kind) => {
    const source = await open();
    server.fault = () => ({ headers: { 'Content-Range': range } });
    await expect(source.read(0, 10)).rejects.toThrow(message);
    await expect(source.read(0, 10)).rejects.toBeInstanceOf(kind);
  });

  it('about its length, too long, is given up where the bytes end', async () => {
    server.ranges = false;
    const longer = { headers: { 'Content-Length': String(SIZE + 1000) } };
    server.fault = () => longer;
    const source = await open(IMPATIENCE);
    expect(source.size).toBe(SIZE + 1000);
    await expectRight(source, 0, SIZE);
    await expect(source.read(SIZE - 10, 20)).rejects.toBeInstanceOf(DownloadError);
  });

  it('about its length, too short: the rest is asked for', async () => {
    const source = await open();
    server.fault = ({ range }) => (range![0] === 0 ? { headers: { 'Content-Length': '1000' } } : undefined);
    await expectRight(source, 0, 2000);
  });

  it('or tells none', async () => {
    server.ranges = false;
    server.fault = () => ({ headers: { 'Content-Encoding': 'identity' } });
    await expect(findHttpFile(server.url, PATIENCE)).rejects.toThrow('does not tell how long the file is');
  });
});

it('a file replaced in mid-download is told from the one begun, with ranges and without', async () => {
  for (const ranges of [true, false]) {
    server.content = content;
    server.ranges = ranges;
    const source = await open();
    const read = (async () => {
      for await (const _ of source.stream(0, SIZE)) {
        // Of the same length, so that only its mark tells.
        server.content = content.toReversed();
        server.fault = () => undefined;
      }
    })();
    server.fault = () => ({ cutAfter: 1000 });
    await expect(read).rejects.toBeInstanceOf(FileChangedError);
    await expect(source.read(0, 10)).rejects.toThrow('Load the model again to get the new one');
  }
});

it('a file is called by the last part of its address', () => {
  expect(fileName('https://host/a/Q4%20K.gguf?download=true')).toBe('Q4 K.gguf');
  expect(fileName('https://host/')).toBe('host');
  expect(fileName('https://host/100%.gguf')).toBe('100%.gguf');
});

it('an address that is none is named', async () => {
  const finding = findHttpFile('models/model.gguf', PATIENCE);
  await expect(finding).rejects.toBeInstanceOf(InvalidInputError);
  await expect(finding).rejects.toThrow('“models/model.gguf” is not an address');
});
