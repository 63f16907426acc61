// What is said about vision files that cannot be run, and that both namings of the feed-forward part are read.

import { describe, expect, it } from 'vitest';
import { bytesSource } from '../gguf/byte-source';
import { type ModelFile, openModelFile } from '../gguf/model-file';
import { type FixtureTensor, type FixtureValue, ggufBytes } from '../gguf/testing/gguf-fixture';
import { WeightPlan } from '../gpu/weights';
import { familyOf } from '.';
import { planVisionWeights, readVisionHyper } from './vision-file';

const METADATA: Record<string, FixtureValue> = {
  'general.architecture': 'clip',
  'clip.projector_type': 'qwen2vl_merger',
  'clip.vision.embedding_length': 8,
  'clip.vision.attention.head_count': 2,
  'clip.vision.block_count': 1,
  'clip.vision.patch_size': 14,
  'clip.vision.projection_dim': 12,
  'clip.vision.attention.layer_norm_epsilon': 1e-6,
  'clip.vision.image_mean': [0.5, 0.25, 0.125],
  'clip.vision.image_std': [0.5, 0.25, 0.125],
};

/** Shapes of the tensors of a file of width 8 with one block. */
function shapes(): Record<string, number[]> {
  const named: Record<string, number[]> = {
    'v.patch_embd.weight': [8, 3, 14, 14],
    'v.patch_embd.weight.1': [8, 3, 14, 14],
  };
  const linear = (name: string, rows: number, cols: number) => {
    named[`${name}.weight`] = [rows, cols];
    named[`${name}.bias`] = [rows];
  };
  const norm = (name: string) => {
    named[`${name}.weight`] = [8];
    named[`${name}.bias`] = [8];
  };
  for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_out']) linear(`v.blk.0.${part}`, 8, 8);
  linear('v.blk.0.ffn_up', 16, 8);
  linear('v.blk.0.ffn_down', 8, 16);
  linear('mm.0', 32, 32);
  linear('mm.2', 12, 32);
  for (const name of ['v.blk.0.ln1', 'v.blk.0.ln2', 'v.post_ln']) norm(name);
  return named;
}

function open(metadata: Record<string, FixtureValue> = METADATA, named = shapes()) {
  const tensors = Object.entries(named).map(
    ([name, shape]): FixtureTensor => ({
      name,
      shape,
      type: 'F32',
      data: new Uint8Array(shape.reduce((product, size) => product * size, 4)),
    }),
  );
  return openModelFile(bytesSource(ggufBytes(metadata, tensors), 'test.mmproj.gguf'));
}

/** What the family that the file names asks of it. */
const hyperOf = (file: ModelFile) => readVisionHyper(file, familyOf(file).vision(file.metadata));

async function load(named: Record<string, number[]>) {
  const file = await open(METADATA, named);
  const hyper = hyperOf(file);
  return { hyper, weights: planVisionWeights(file, new WeightPlan(file, 2 ** 20), hyper) };
}

describe('qwen2-vl vision files', () => {
  it('reads sizes and stacks queries, keys and values', async () => {
    const { hyper, weights } = await load(shapes());
    expect(hyper).toMatchObject({ embed: 8, heads: 2, ffn: 16, mergeSize: 2, outputWidth: 12 });
    expect(hyper.imageMean).toEqual([0.5, 0.25, 0.125]);
    expect(weights.patch[1]).toMatchObject({ rows: 8, cols: 588 });
    expect(weights.blocks[0]!.qkv).toMatchObject({ rows: 24, cols: 8 });
  });

  it('reads files that name the feed-forward matrices the other way round', async () => {
    const named = shapes();
    const { 'v.blk.0.ffn_up.weight': up, 'v.blk.0.ffn_up.bias': upBias } = named;
    const { 'v.blk.0.ffn_down.weight': down, 'v.blk.0.ffn_down.bias': downBias } = named;
    const { hyper, weights } = await load({
      ...named,
      'v.blk.0.ffn_up.weight': down!,
      'v.blk.0.ffn_up.bias': downBias!,
      'v.blk.0.ffn_down.weight': up!,
      'v.blk.0.ffn_down.bias': upBias!,
    });
    expect(hyper.ffn).toBe(16);
    expect(weights.blocks[0]!.fc1).toMatchObject({ rows: 16, cols: 8 });
    expect(weights.blocks[0]!.fc2).toMatchObject({ rows: 8, cols: 16 });
  });

  it.each<[string, Record<string, FixtureValue>, RegExp]>([
    ['a decoder', { 'general.architecture': 'qwen2vl' }, /architecture 'qwen2vl', not a vision file/],
    ['another projector', { 'clip.projector_type': 'gemma3' }, /'gemma3'; supported are qwen2vl_merger/],
    ['an early Qwen2.5-VL file', { 'clip.projector_type': 'qwen2.5vl_merger' }, /made by an early converter/],
    [
      'windows that cut through blocks',
      {
        'clip.projector_type': 'qwen2.5vl_merger',
        'clip.vision.n_wa_pattern': 2,
        'clip.vision.window_size': 100,
      },
      /windows of 100 pixels, which are no whole blocks/,
    ],
    ['heads of an odd size', { 'clip.vision.attention.head_count': 4 }, /heads of 2 and patches of 14/],
    ['two mean colours', { 'clip.vision.image_mean': [0.5, 0.5] }, /image_mean" should be three numbers/],
  ])('refuses %s', async (_, change, message) => {
    const file = await open({ ...METADATA, ...change });
    expect(() => hyperOf(file)).toThrow(message);
  });

  it('refuses tensors of another width', async () => {
    await expect(load({ ...shapes(), 'mm.2.weight': [10, 32], 'mm.2.bias': [10] })).rejects.toThrow(
      /last merger matrix is 10 × 32 where its metadata asks for 12 × 32/,
    );
  });

  it('names a missing tensor', async () => {
    const { 'v.post_ln.bias': _, ...rest } = shapes();
    await expect(load(rest)).rejects.toThrow(/v.post_ln.bias/);
  });
});

describe('llava-onevision vision files', () => {
  /** As llama.cpp's tools write them: no last norm, and a projection width that is not the decoder's. */
  const metadata = { ...METADATA, 'clip.projector_type': 'mlp', 'clip.vision.projection_dim': 0 };
  const named: Record<string, number[]> = {
    ...Object.fromEntries(
      Object.entries(shapes()).filter(([name]) => !/^(v\.post_ln|mm\.|v\.patch_embd\.weight\.1)/.test(name)),
    ),
    'mm.0.weight': [12, 8],
    'mm.0.bias': [12],
    'mm.2.weight': [12, 12],
    'mm.2.bias': [12],
  };

  it.each([
    [{}, undefined],
    [{ 'model.image_newline': [12] }, 'weights.test.mmproj.gguf.model.image_newline'],
  ])('reads a projector of each patch; beside %j', async (newline, buffer) => {
    const file = await open(metadata, { ...named, ...newline } as Record<string, number[]>);
    const hyper = hyperOf(file);
    const weights = planVisionWeights(file, new WeightPlan(file, 2 ** 20), hyper);
    expect(hyper).toMatchObject({ outputWidth: 12, mergeSize: 1, framesPerPatch: 1, videoPooling: 2 });
    expect(weights.merger.norm).toBeUndefined();
    expect(weights.newline).toBe(buffer);
  });
});
