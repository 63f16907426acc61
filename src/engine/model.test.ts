// Model files that can be told to be unfit before anything is put on the GPU.

import { afterEach, expect, it } from 'vitest';
import { ModelFormatError } from './errors';
import { bytesSource } from './gguf/byte-source';
import { testGpu } from './gpu/testing/harness';
import { loadModel, planModel } from './model';
import { fixtureBytes, fixtureFiles } from './testing/fixtures';

const FIXTURE = 'gqa1-hd32-f32';

const { device } = await testGpu();
const created: string[] = [];
const createBuffer = device.createBuffer.bind(device);
device.createBuffer = (descriptor) => {
  created.push(descriptor.label ?? '');
  return createBuffer(descriptor);
};
afterEach(() => void created.splice(0));

/** The decoder's file after `spoil`, which is given where a name ends in it. */
function spoilt(name: string, spoil: (bytes: DataView, end: number) => void) {
  const bytes = fixtureBytes(`${FIXTURE}.model.gguf`);
  const at = Buffer.from(bytes.buffer).indexOf(name);
  expect(at).toBeGreaterThan(0);
  spoil(new DataView(bytes.buffer), at + name.length);
  return bytesSource(bytes, 'spoilt.gguf');
}

for (const [defect, model, message] of [
  [
    'no chat template',
    () => spoilt('tokenizer.chat_template', (bytes, end) => bytes.setUint8(end - 1, 'x'.charCodeAt(0))),
    /spoilt\.gguf has no chat template.*Download the instruct version/s,
  ],
  [
    'a chat template of another kind',
    () =>
      spoilt('<|vision_start|><|video_pad|>', (bytes, end) => bytes.setUint8(end - 16, 'x'.charCodeAt(0))),
    /spoilt\.gguf: its chat template is not one for conversations about video/,
  ],
  [
    'fewer embeddings than tokens',
    // After the name: how many dimensions, then columns and rows as 64-bit numbers.
    () => spoilt('token_embd.weight', (bytes, end) => bytes.setUint32(end + 12, 399, true)),
    /spoilt\.gguf: its tokenizer has 400 tokens, but only 399 of them have an embedding.*Download it again/s,
  ],
] as const) {
  it(`${defect}: refused before a buffer is created`, async () => {
    const { mmproj } = await fixtureFiles(FIXTURE);
    const loading = loadModel(await testGpu(), {
      model: model(),
      mmproj,
      frame: { width: 56, height: 56 },
      visualTokens: 16,
      textTokens: 64,
      maxRgbPixels: 56 * 56,
    });
    await expect(loading).rejects.toThrow(ModelFormatError);
    await expect(loading).rejects.toThrow(message);
    expect(created).toEqual([]);
  });
}

it('is planned by purpose as it is then loaded, without a buffer created', async () => {
  const gpu = await testGpu();
  const options = {
    ...(await fixtureFiles(FIXTURE)),
    frame: { width: 56, height: 56 },
    visualTokens: 16,
    textTokens: 64,
    maxRgbPixels: 56 * 56,
  };
  const plan = await planModel(gpu, options);
  expect(created).toEqual([]);
  expect(plan.weights).toBeGreaterThan(0);
  const model = await loadModel(gpu, options);
  expect(plan).toEqual(model.ledger.bytesByPurpose);
  model.dispose();
});
