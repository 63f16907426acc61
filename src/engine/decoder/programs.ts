// The decoder's computation as programs: a prefill block, a decode step, and the head that samples.

import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { addMatmul, addMatvec } from '../gpu/linear';
import { type Binding, ProgramBuilder } from '../gpu/program';
import { ringLayer } from '../memory/ring-shape';
import { attentionSplits } from './buffers';
import type { DecoderOptions, DecoderShape } from './decoder';

type Builder = ProgramBuilder<DecoderShape>;

/** Query rows of one attention workgroup; see shaders/attention.wesl. */
const ATTENTION_ROWS = 8;

/** Embeddings (or what an encoder left in `decoder.hidden`) through every layer, keys and values into the ring. */
export function blockProgram(gpu: Gpu, ledger: Ledger, options: DecoderOptions): Builder {
  const { hyper, weights, f16 } = options;
  const buffer = (name: string) => ledger.get(`decoder.${name}`);
  const step = buffer('step');
  const builder: Builder = new ProgramBuilder();
  addEmbedding(builder, ledger, options);
  const norm = (gain: string) =>
    builder.add(
      {
        module: 'rms_norm',
        conditions: { subgroups: gpu.features.subgroups },
        constants: { width: hyper.width, epsilon: hyper.normEpsilon },
      },
      { step, x: buffer('hidden'), gain: ledger.get(gain), y: buffer('normed') },
      ({ tokens }) => [tokens],
    );
  weights.layers.forEach((layer, index) => {
    norm(layer.attentionNorm);
    addMatmul(builder, ledger, layer.qkv, { step, x: buffer('normed'), y: buffer('qkv'), f16 });
    addCacheWrite(builder, gpu, ledger, options, index);
    addAttention(builder, ledger, options, index, { y: buffer('attended') });
    addMatmul(builder, ledger, layer.attentionOutput, {
      step,
      x: buffer('attended'),
      y: buffer('hidden'),
      epilogue: 'accumulate',
      f16,
    });
    norm(layer.ffnNorm);
    addMatmul(builder, ledger, layer.gateUp, { step, x: buffer('normed'), y: buffer('gate_up'), f16 });
    addSwiglu(builder, ledger, hyper.ffnWidth);
    addMatmul(builder, ledger, layer.down, {
      step,
      x: buffer('ffn'),
      y: buffer('hidden'),
      epilogue: 'accumulate',
      f16,
    });
  });
  return builder;
}

/** One token through every layer: matrix–vector products with the norms inside, attention split over the slots. */
export function stepProgram(gpu: Gpu, ledger: Ledger, options: DecoderOptions): Builder {
  const { hyper, weights, ring } = options;
  const { subgroups } = gpu.features;
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
      subgroups,
    });
    addCacheWrite(builder, gpu, ledger, options, index);
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
      subgroups,
    });
    addMatvec(builder, ledger, layer.gateUp, {
      x: hidden,
      y: buffer('gate_up'),
      norm: norm(layer.ffnNorm),
      subgroups,
    });
    addSwiglu(builder, ledger, hyper.ffnWidth);
    addMatvec(builder, ledger, layer.down, { x: buffer('ffn'), y: hidden, accumulate: true, subgroups });
  });
  return builder;
}

/** The last token of the block through norm and head to logits, and the choice of the next token. */
export function headProgram(gpu: Gpu, ledger: Ledger, { hyper, weights }: DecoderOptions): Builder {
  const { subgroups } = gpu.features;
  const buffer = (name: string) => ledger.get(`decoder.${name}`);
  const step = buffer('step');
  const builder: Builder = new ProgramBuilder();
  builder.add(
    {
      module: 'rms_norm',
      conditions: { last_token: true, subgroups },
      constants: { width: hyper.width, epsilon: hyper.normEpsilon },
    },
    { step, x: buffer('hidden'), gain: ledger.get(weights.outputNorm), y: buffer('last') },
    [1],
  );
  addMatvec(builder, ledger, weights.head, { x: buffer('last'), y: buffer('logits'), subgroups });
  builder.add(
    { module: 'sample', constants: { vocab: hyper.vocab } },
    { step, logits: buffer('logits'), ids: buffer('ids') },
    [1],
  );
  return builder;
}

function addEmbedding(builder: Builder, ledger: Ledger, { weights, hyper }: DecoderOptions): void {
  for (const part of weights.embedding.parts) {
    builder.add(
      {
        module: 'embed_rows',
        conditions: { [`w_${part.format}`]: true },
        constants: { weight_rows: part.rows, weight_cols: hyper.width, first_row: part.firstRow },
      },
      {
        step: ledger.get('decoder.step'),
        weights: ledger.get(part.buffer),
        ids: ledger.get('decoder.ids'),
        y: ledger.get('decoder.hidden'),
      },
      ({ tokens, embed }) => [embed ? tokens : 0],
    );
  }
}

function addCacheWrite(
  builder: Builder,
  gpu: Gpu,
  ledger: Ledger,
  { hyper, ring }: DecoderOptions,
  layer: number,
): void {
  const { heads, kvHeads, headDim } = hyper;
  const { keys, values, slots, free } = ringLayer(ledger, ring, layer);
  builder.add(
    {
      module: 'cache_write',
      conditions: { kv_f32: ring.kvFormat === 'f32', subgroups: gpu.features.subgroups },
      constants: { heads, kv_heads: kvHeads, head_dim: headDim, capacity: ring.capacity },
    },
    {
      step: ledger.get('decoder.step'),
      qkv: ledger.get('decoder.qkv'),
      rotary: ledger.get('decoder.rotary'),
      keys,
      values,
      slots,
      free,
    },
    ({ tokens }) => [heads + kvHeads, tokens],
  );
}

/** With `y`, the attended values are written straight; with `sums` and `extents`, the slots are split. */
function addAttention(
  builder: Builder,
  ledger: Ledger,
  { hyper, ring }: DecoderOptions,
  layer: number,
  output: Readonly<Record<string, Binding>>,
): void {
  const { heads, kvHeads, headDim } = hyper;
  const split = 'sums' in output;
  const splits = split ? attentionSplits(ring.capacity) : 1;
  const { keys, values, slots } = ringLayer(ledger, ring, layer);
  builder.add(
    {
      module: 'attention',
      conditions: { kv_f32: ring.kvFormat === 'f32', split },
      constants: { heads, kv_heads: kvHeads, head_dim: headDim, capacity: ring.capacity },
    },
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
