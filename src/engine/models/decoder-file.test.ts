// What is read of decoders whose positions have one axis, and which of them are refused.

import { expect, it } from 'vitest';
import { bytesSource } from '../gguf/byte-source';
import { openModelFile } from '../gguf/model-file';
import { type FixtureTensor, type FixtureValue, ggufBytes } from '../gguf/testing/gguf-fixture';
import { decoderFamilyOf } from '.';
import { readDecoderHyper } from './decoder-file';

const METADATA: Record<string, FixtureValue> = {
  'general.architecture': 'llama',
  'llama.block_count': 2,
  'llama.embedding_length': 96,
  'llama.attention.head_count': 3,
  'llama.attention.head_count_kv': 1,
  'llama.feed_forward_length': 64,
  'llama.context_length': 8192,
  'llama.attention.layer_norm_rms_epsilon': 1e-5,
  'llama.rope.freq_base': 100_000.5,
  'tokenizer.ggml.tokens': ['a', 'b'],
};

async function hyperOf(metadata: Record<string, FixtureValue> = {}, tensors: readonly string[] = []) {
  const data = new Uint8Array(32);
  const named = tensors.map((name): FixtureTensor => ({ name, shape: [8], type: 'F32', data }));
  const bytes = ggufBytes({ ...METADATA, ...metadata }, named);
  const file = await openModelFile(bytesSource(bytes, 'test.gguf'));
  return readDecoderHyper(file, decoderFamilyOf(file).decoder);
}

it('time turns every rotary pair', async () => {
  expect(await hyperOf()).toMatchObject({ headDim: 32, mrope: false, ropeSections: [16, 0, 0] });
  expect(await hyperOf({ 'llama.rope.scaling.type': 'none' })).toMatchObject({ headDim: 32 });
});

it('positions stretched for long contexts are refused', async () => {
  const refused = /test\.gguf stretches its rotary positions.*Download/;
  await expect(hyperOf({ 'llama.rope.scaling.type': 'yarn' })).rejects.toThrow(refused);
  await expect(hyperOf({}, ['rope_freqs.weight'])).rejects.toThrow(refused);
});
