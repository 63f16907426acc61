// The decoder's computation as programs: a prefill block, a decode step, and the head that samples.

import type { Gpu } from '../gpu/device';
import type { KernelSpec } from '../gpu/kernel';
import type { Ledger } from '../gpu/ledger';
import { addMatmul, addMatvec, type BlockShape, reduction } from '../gpu/linear';
import { type Binding, ProgramBuilder } from '../gpu/program';
import { ringLayer } from '../memory/ring-shape';
import { attentionSplits } from './buffers';
import type { DecoderOptions, DecoderShape } from './options';

type Builder = ProgramBuilder<DecoderShape>;

/** Query rows of one attention workgroup; see shaders/attention.wesl. */
const ATTENTION_ROWS = 8;

/** Embeddings (or what an encoder left in `decoder.hidden`) through every layer, keys and values into the ring. */
export function blockProgram(gpu: Gpu, ledger: Ledger, options: DecoderOptions): Builder {
  const { hyper, weights, matmul } = options;
  const buffer = (name: string) => ledger.get(`decoder.${name}`);
  const step = buffer('step');
  const builder: Builder = new ProgramBuilder();
  addEmbedding(builder, ledger, options);
  addEnding(builder, ledger, options);
  const norm = (gain: string) =>
    builder.add(
      {
        module: 'rms_norm',
        conditions: reduction(gpu),
        constants: { width: hyper.width, epsilon: hyper.normEpsilon },
      },
      { step, x: buffer('hidden'), gain: ledger.get(gain), y: buffer('normed') },
      ({ tokens }) => [tokens],
    );
  weights.layers.forEach((layer, index) => {
    norm(layer.attentionNorm);
    addMatmul(builder, ledger, layer.qkv, { step, x: buffer('normed'), y: buffer('qkv'), matmul });
    addHeadNorms(builder, gpu, ledger, options, index);
    addCacheWrite(builder, ledger, options, index);
    if (gpu.kernels === 'direct') addPlainAttention(builder, ledger, options, index);
    else addAttention(builder, ledger, options, index, { y: buffer('attended') });
    addMatmul(builder, ledger, layer.attentionOutput, {
      step,
      x: buffer('attended'),
      y: buffer('hidden'),
      epilogue: 'accumulate',
      matmul,
    });
    norm(layer.ffnNorm);
    addMatmul(builder, ledger, layer.gateUp, { step, x: buffer('normed'), y: buffer('gate_up'), matmul });
    addSwiglu(builder, ledger, hyper.ffnWidth);
    addMatmul(builder, ledger, layer.down, {
      step,
      x: buffer('ffn'),
      y: buffer('hidden'),
      epilogue: 'accumulate',
      matmul,
    });
    if (index < hyper.deepstackLayers) addFeatures(builder, ledger, hyper.width, index);
  });
  return builder;
}

/** One token through every layer: matrix–vector products with the norms inside, attention split over the slots. */
export function stepProgram(gpu: Gpu, ledger: Ledger, options: DecoderOptions): Builder {
  const { hyper, weights, ring } = options;
  const buffer = (name: string) => ledger.get(`decoder.${name}`);
  const hidden = buffer('hidden');
  const splits = attentionSplits(ring.capacity);
  const builder: Builder = new ProgramBuilder();
  addEmbedding(builder, ledger, options);
  const norm = (gain: string) => ({ gain: ledger.get(gain), epsilon: hyper.normEpsilon });
  weights.layers.forEach((layer, index) => {
    addMatvec(builder, ledger, layer.qkv, {
      x: hidden,
      y: buffer('qkv'),
      norm: norm(layer.attentionNorm),
    });
    addHeadNorms(builder, gpu, ledger, options, index);
    addCacheWrite(builder, ledger, options, index);
    if (splits === 1) {
      addAttention(builder, ledger, options, index, { y: buffer('attended') });
    } else {
      addAttention(builder, ledger, options, index, { sums: buffer('sums'), extents: buffer('extents') });
      builder.add(
        {
          module: 'attention_combine',
          constants: { heads: hyper.heads, head_dim: hyper.headDim, splits },
        },
        { sums: buffer('sums'), extents: buffer('extents'), y: buffer('attended') },
        [Math.ceil((hyper.heads * hyper.headDim) / 4 / 64)],
      );
    }
    addMatvec(builder, ledger, layer.attentionOutput, {
      x: buffer('attended'),
      y: hidden,
      accumulate: true,
    });
    addMatvec(builder, ledger, layer.gateUp, {
      x: hidden,
      y: buffer('gate_up'),
      norm: norm(layer.ffnNorm),
    });
    addSwiglu(builder, ledger, hyper.ffnWidth);
    addMatvec(builder, ledger, layer.down, { x: buffer('ffn'), y: hidden, accumulate: true });
  });
  return builder;
}

/** The last token of the block through norm and head to logits, and the choice of the next token. */
export function headProgram(gpu: Gpu, ledger: Ledger, options: DecoderOptions): ProgramBuilder<BlockShape> {
  const { hyper, weights, matmul } = options;
  const buffer = (name: string) => ledger.get(`decoder.${name}`);
  const step = buffer('step');
  const builder = new ProgramBuilder<BlockShape>();
  builder.add(
    {
      module: 'rms_norm',
      conditions: { last_token: true, ...reduction(gpu) },
      constants: { width: hyper.width, epsilon: hyper.normEpsilon },
    },
    { step, x: buffer('hidden'), gain: ledger.get(weights.outputNorm), y: buffer('last') },
    [1],
  );
  const [x, y] = [buffer('last'), buffer('logits')];
  if (gpu.kernels === 'direct')
    addMatmul(builder, ledger, weights.head, { step: buffer('one'), x, y, matmul });
  else addMatvec(builder, ledger, weights.head, { x, y });
  builder.add(
    { module: 'sample', constants: { vocab: hyper.vocab } },
    { step, logits: buffer('logits'), ids: buffer('ids') },
    [1],
  );
  return builder;
}

function addEmbedding(builder: Builder, ledger: Ledger, { weights }: DecoderOptions): void {
  for (const part of weights.embedding.parts) {
    builder.add(
      {
        module: 'embed_rows',
        conditions: { [`w_${part.format}`]: true },
      },
      {
        step: ledger.get('decoder.step'),
        weights: ledger.get(part.buffer),
        shape: ledger.get(part.shape),
        ids: ledger.get('decoder.ids'),
        y: ledger.get('decoder.hidden'),
      },
      ({ tokens, embed }) => [embed ? tokens : 0],
    );
  }
}

/** The embedding that ends pictures and videos, for the pads among the ids. No answer has any. */
function addEnding(builder: Builder, ledger: Ledger, { hyper, ending }: DecoderOptions): void {
  if (!ending) return;
  const { embedding, pads } = ending;
  builder.add(
    {
      module: 'embed_ending',
      constants: { width: hyper.width, image_pad: pads.image, video_pad: pads.video },
    },
    {
      step: ledger.get('decoder.step'),
      ids: ledger.get('decoder.ids'),
      ending: ledger.get(embedding),
      y: ledger.get('decoder.hidden'),
    },
    ({ tokens, embed }) => [embed ? tokens : 0],
  );
}

/** Norms of query and key heads, where the decoder has them. */
function addHeadNorms(
  builder: Builder,
  gpu: Gpu,
  ledger: Ledger,
  { hyper, weights }: DecoderOptions,
  layer: number,
): void {
  const { heads, kvHeads, headDim, normEpsilon } = hyper;
  const gains = weights.layers[layer]!.headNorms;
  if (gains === undefined) return;
  builder.add(
    {
      module: 'head_norm',
      conditions: reduction(gpu),
      constants: { heads, kv_heads: kvHeads, head_dim: headDim, epsilon: normEpsilon },
    },
    { qkv: ledger.get('decoder.qkv'), gains: ledger.get(gains) },
    ({ tokens }) => [heads + kvHeads, tokens],
  );
}

/** What the encoder left for behind this layer, onto the tokens of a frame. */
function addFeatures(builder: Builder, ledger: Ledger, width: number, layer: number): void {
  builder.add(
    { module: 'add' },
    { x: ledger.get(`decoder.features.${layer}`), y: ledger.get('decoder.hidden') },
    ({ tokens, embed }) => [embed ? 0 : Math.ceil((tokens * width) / 4 / 64)],
  );
}

function addCacheWrite(builder: Builder, ledger: Ledger, options: DecoderOptions, layer: number): void {
  const { heads, kvHeads, headDim } = options.hyper;
  const { keys, values, slots, free } = ringLayer(ledger, options.ring, layer);
  builder.add(
    { module: 'cache_write', ...attentionSpec(options) },
    {
      step: ledger.get('decoder.step'),
      qkv: ledger.get('decoder.qkv'),
      rotary: ledger.get('decoder.rotary'),
      keys,
      values,
      slots,
      free,
    },
    ({ tokens }) => [Math.ceil(((heads + kvHeads) * headDim) / 8 / 64), tokens],
  );
}

/** The two plain kernels, through a buffer of scores. */
function addPlainAttention(builder: Builder, ledger: Ledger, options: DecoderOptions, layer: number): void {
  const { heads, headDim } = options.hyper;
  const { keys, values, slots } = ringLayer(ledger, options.ring, layer);
  const step = ledger.get('decoder.step');
  const scores = ledger.get('decoder.scores');
  builder.add(
    { module: 'attention_scores', ...attentionSpec(options) },
    { step, qkv: ledger.get('decoder.qkv'), keys, slots, scores },
    ({ tokens, scanSlots }) => [Math.ceil(scanSlots / 64), tokens * heads],
  );
  builder.add(
    { module: 'attention_values', ...attentionSpec(options) },
    { step, scores, values, y: ledger.get('decoder.attended') },
    ({ tokens }) => [Math.ceil((tokens * heads * headDim) / 4 / 64)],
  );
}

function attentionSpec({ hyper, ring }: DecoderOptions): Pick<KernelSpec, 'conditions' | 'constants'> {
  return {
    conditions: { kv_f32: ring.kvFormat === 'f32' },
    constants: {
      heads: hyper.heads,
      kv_heads: hyper.kvHeads,
      head_dim: hyper.headDim,
      capacity: ring.capacity,
    },
  };
}

/** With `y`, the attended values are written straight; with `sums` and `extents`, the slots are split. */
function addAttention(
  builder: Builder,
  ledger: Ledger,
  options: DecoderOptions,
  layer: number,
  output: Readonly<Record<string, Binding>>,
): void {
  const { heads, kvHeads } = options.hyper;
  const split = 'sums' in output;
  const splits = split ? attentionSplits(options.ring.capacity) : 1;
  const { keys, values, slots } = ringLayer(ledger, options.ring, layer);
  const { conditions, constants } = attentionSpec(options);
  builder.add(
    { module: 'attention', conditions: { ...conditions, split }, constants },
    {
      step: ledger.get('decoder.step'),
      qkv: ledger.get('decoder.qkv'),
      keys,
      values,
      slots,
      ...output,
    },
    ({ tokens }) => [Math.ceil((tokens * heads) / kvHeads / ATTENTION_ROWS), kvHeads, splits],
  );
}

function addSwiglu(builder: Builder, ledger: Ledger, width: number): void {
  builder.add(
    { module: 'swiglu', constants: { width } },
    {
      step: ledger.get('decoder.step'),
      gate_up: ledger.get('decoder.gate_up'),
      y: ledger.get('decoder.ffn'),
    },
    ({ tokens }) => [Math.ceil(width / 4 / 64), tokens],
  );
}
