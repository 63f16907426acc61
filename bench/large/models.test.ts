// The outlines of large models are such as the engine takes: every tensor is used, and no part of a matrix is larger than
// the smallest device's bindings. No weights are written.

import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../src/engine/gguf/byte-source';
import { openModelFile } from '../../src/engine/gguf/model-file';
import { ggufHeader, paddedBytes, tensorBytes } from '../../src/engine/gguf/testing/gguf-fixture';
import { WeightPlan } from '../../src/engine/gpu/weights';
import { checkDecoder, familyOf } from '../../src/engine/models';
import { planDecoderWeights, readDecoderHyper } from '../../src/engine/models/decoder-file';
import { planVisionWeights, readVisionHyper } from '../../src/engine/models/vision-file';
import { Tokenizer } from '../../src/engine/text/tokenizer';
import type { FileOutline } from './model-files';
import { LARGE_PAIRS } from './models';

const BINDING_BYTES = 2 ** 27;

/** A file of which only the header can be read. */
function headerOf({ metadata, tensors }: FileOutline, name: string): ByteSource {
  const header = ggufHeader(metadata, tensors);
  const data = tensors.reduce((sum, tensor) => sum + paddedBytes(tensorBytes(tensor)), 0);
  return {
    name,
    size: header.length + data,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(offset, offset + length));
      return bytes;
    },
  };
}

describe.each(LARGE_PAIRS)('$name', ({ model, mmproj }) => {
  it('is a pair the engine takes, down to the last tensor', async () => {
    const vision = await openModelFile(headerOf(mmproj(), 'mmproj.gguf'));
    const family = familyOf(vision);
    const visionHyper = readVisionHyper(vision, family.vision(vision.metadata));
    const visionPlan = new WeightPlan(vision, BINDING_BYTES);
    planVisionWeights(vision, visionPlan, visionHyper);
    const decoder = await openModelFile(headerOf(model(), 'model.gguf'));
    checkDecoder(decoder, family);
    const hyper = readDecoderHyper(decoder, family.decoder);
    const plan = new WeightPlan(decoder, BINDING_BYTES);
    planDecoderWeights(plan, hyper);

    expect(visionHyper.outputWidth).toBe(hyper.width);
    expect(plan.fileBytes).toBe(bytesOf(model()));
    expect(visionPlan.fileBytes).toBe(bytesOf(mmproj(), 'v.position_embd.weight'));
    for (const { name, bytes } of [...plan.specs, ...visionPlan.specs]) {
      expect(bytes, name).toBeLessThanOrEqual(BINDING_BYTES);
    }
  });
});

it('has a vocabulary that encodes any text', async () => {
  const { metadata } = await openModelFile(headerOf(LARGE_PAIRS[0]!.model(), 'model.gguf'));
  const tokenizer = new Tokenizer(metadata);
  expect(tokenizer.size).toBe(151_936);
  expect(tokenizer.decode(tokenizer.encode('A tea, to note: été?'))).toBe('A tea, to note: été?');
  expect(tokenizer.encode('eta')).toHaveLength(1);
  expect(tokenizer.idOf('<|vision_end|>')).toBe(151_653);
});

function bytesOf({ tensors }: FileOutline, but?: string): number {
  return tensors.filter(({ name }) => name !== but).reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
}

it('stores tensors in the types that llama.cpp gives them', () => {
  const typesOf = (pair: string, file: 'model' | 'mmproj') => {
    const { tensors } = LARGE_PAIRS.find(({ name }) => name === pair)![file]();
    return (name: string) => tensors.find((tensor) => tensor.name === name)?.type;
  };
  const mixed = typesOf('qwen2.5-vl-3b-q4_k_m-q8_0', 'model');
  expect(mixed('token_embd.weight')).toBe('Q6_K');
  expect(mixed('blk.0.attn_v.weight')).toBe('Q6_K');
  expect(mixed('blk.4.ffn_down.weight')).toBe('Q4_K');
  expect(mixed('blk.6.ffn_down.weight')).toBe('Q6_K');
  expect(mixed('blk.29.ffn_down.weight')).toBe('Q4_K');
  expect(mixed('blk.31.ffn_down.weight')).toBe('Q6_K');
  expect(mixed('blk.31.attn_q.weight')).toBe('Q4_K');
  expect(typesOf('qwen2.5-vl-3b-q4_0-f16', 'model')('token_embd.weight')).toBe('Q6_K');
  const encoder = typesOf('qwen2.5-vl-3b-q4_k_m-q8_0', 'mmproj');
  expect(encoder('v.patch_embd.weight')).toBe('F32');
  // 3,420 columns are no whole blocks.
  expect(encoder('v.blk.0.ffn_down.weight')).toBe('F16');
});
