// Models from servers in the command line: what addresses mean, and that a model is downloaded once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { HubServer } from '../src/engine/store/testing/hub-server';
import { fixtureBytes } from '../src/engine/testing/fixtures';
import { downloadModel, modelAddress } from './model-download';

it('tells addresses from files', () => {
  expect(modelAddress('a/model.gguf', 'a/mmproj.gguf')).toBeNull();
  expect(modelAddress('https://host/a.gguf', 'https://host/b.gguf')).toMatchObject({ kind: 'urls' });
  expect(modelAddress('hf:owner/name', undefined)).toMatchObject({ kind: 'hub', repository: 'owner/name' });
  expect(modelAddress('hf:owner/name:Q4_0', 'f16')).toMatchObject({ model: 'Q4_0', mmproj: 'f16' });
  expect(() => modelAddress('https://host/a.gguf', 'b.gguf')).toThrow('both as addresses');
});

it.each([
  ['', undefined],
  ['https://hub.example/', 'https://hub.example'],
])('takes “%s” as the hub that HF_ENDPOINT names', (endpoint, hubUrl) => {
  vi.stubEnv('HF_ENDPOINT', endpoint);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(modelAddress('hf:owner/name', undefined)).toMatchObject({ hubUrl });
});

it('downloads a model of the hub once', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'ringside-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  const hub = await new HubServer({
    'm.gguf': fixtureBytes('wllama.model.gguf'),
    'mmproj-m.gguf': fixtureBytes('wllama.mmproj.gguf'),
  }).start();
  vi.stubEnv('HF_ENDPOINT', hub.url);
  onTestFinished(async () => {
    hub.stop();
    vi.unstubAllEnvs();
    await rm(cache, { recursive: true });
  });
  for (const isFirst of [true, false]) {
    hub.asked.length = 0;
    const { model, isComplete } = await downloadModel(modelAddress('hf:someone/model', undefined)!);
    expect(isComplete).toBe(true);
    expect(Buffer.compare(await model.read(0, model.size), fixtureBytes('wllama.model.gguf'))).toBe(0);
    expect(hub.asked.length > 0).toBe(isFirst);
  }
});
