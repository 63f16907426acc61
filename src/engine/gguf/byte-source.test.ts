// Byte sources against what they promise: exact ranges, and errors that name the file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type ByteSource, blobSource, bytesSource } from './byte-source';
import { nodeFileSource } from './node-file';

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function temporaryFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-'));
  closers.push(() => rm(folder, { recursive: true }));
  const path = join(folder, 'model.gguf');
  await writeFile(path, content);
  return path;
}

const sources: Record<string, () => Promise<ByteSource>> = {
  bytes: async () => bytesSource(content, 'model.gguf'),
  blob: async () => blobSource(new Blob([content]), 'model.gguf'),
  file: async () => blobSource(new File([content], 'model.gguf')),
  'node file': async () => nodeFileSource(await temporaryFile()),
};

describe.each(Object.entries(sources))('%s', (_, open) => {
  it('knows its name and size, and reads exact ranges', async () => {
    const source = await open();
    expect(source.name).toBe('model.gguf');
    expect(source.size).toBe(1000);
    expect(await source.read(0, 4)).toEqual(content.subarray(0, 4));
    expect(await source.read(990, 10)).toEqual(content.subarray(990));
    expect(await source.read(7, 0)).toHaveLength(0);
  });

  it('refuses a range that leaves the file', async () => {
    const source = await open();
    await expect(source.read(995, 10)).rejects.toThrow(/model\.gguf: bytes 995 to 1005.*has 1000/);
  });

  it('stops when aborted', async () => {
    const source = await open();
    await expect(source.read(0, 4, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

it('a file that is not there is named', async () => {
  await expect(nodeFileSource('/nowhere/model.gguf')).rejects.toThrow(
    'model.gguf was not found at /nowhere/model.gguf',
  );
  await expect(nodeFileSource(tmpdir())).rejects.toThrow('is not a file');
});
