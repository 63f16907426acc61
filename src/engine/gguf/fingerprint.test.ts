import { expect, it } from 'vitest';
import { fixtureBytes } from '../testing/fixtures';
import { bytesSource } from './byte-source';
import { fingerprint } from './fingerprint';
import { openModelFile } from './model-file';

const MODEL = fixtureBytes('wllama.model.gguf');

async function print(bytes: Uint8Array<ArrayBuffer>, name = 'model.gguf'): Promise<string> {
  return fingerprint([await openModelFile(bytesSource(bytes, name))]);
}

it('is of what a file holds, not of what it is called', async () => {
  expect(await print(MODEL)).toBe(await print(MODEL, 'renamed.gguf'));
  expect(await print(MODEL)).toMatch(/^[0-9a-f]{64}$/);
});

it('tells models apart by metadata and by weights alone', async () => {
  const file = await openModelFile(bytesSource(MODEL, 'model.gguf'));
  const [first] = file.tensors.values();
  const trained = MODEL.slice();
  trained[first!.byteOffset + first!.byteLength / 2]! ^= 1;
  const renamed = MODEL.slice();
  const name = new TextEncoder().encode(file.metadata.string('general.name'));
  const at = MODEL.findIndex((_, i) => name.every((byte, j) => MODEL[i + j] === byte));
  renamed[at]! ^= 1;
  const prints = await Promise.all(
    [MODEL, trained, renamed, fixtureBytes('wllama.mmproj.gguf')].map((b) => print(b)),
  );
  expect(new Set(prints).size).toBe(4);
});
