// What the two files of a published model hold but for their weights: each tensor's name, shape and type, and the
// metadata that readers go by, as llama.cpp's converter and quantiser write them. The vocabulary is of the true size, but
// made up.

import type { FixtureEntry, FixtureValue } from '../../src/engine/gguf/testing/gguf-fixture';
import { storedType, type Types } from './stored-type';
import { vocabulary } from './vocabulary';

/** A file but for its weights. */
export interface FileOutline {
  readonly metadata: Readonly<Record<string, FixtureValue>>;
  readonly tensors: readonly FixtureEntry[];
}

/** Sizes of a decoder, by the names of its `config.json`. */
export interface DecoderSizes {
  readonly architecture: 'qwen2vl' | 'qwen3vl';
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly maxPositions: number;
  readonly ropeTheta: number;
  readonly ropeSections: readonly number[];
}

/** Sizes of an encoder. */
export interface EncoderSizes {
  readonly projector: 'qwen2.5vl_merger' | 'qwen3vl_merger';
  readonly hidden: number;
  readonly depth: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly patch: number;
  readonly merge: number;
  /** Blocks that attend to the whole frame: every so manieth. */
  readonly wholeEvery?: number;
  /** Learned positions. */
  readonly positions?: number;
  /** Blocks whose features go to the decoder's first layers. */
  readonly deepstack?: readonly number[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

type Shapes = Record<string, readonly number[]>;

/** A decoder whose head is its embedding. */
export function decoderFile(name: string, decoder: DecoderSizes, types: Types, deepstack = 0): FileOutline {
  const { architecture, hidden, layers, heads, kvHeads, headDim, intermediate, vocab } = decoder;
  const queryKeyNorm = architecture === 'qwen3vl';
  const shapes: Shapes = { 'token_embd.weight': [vocab, hidden] };
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    for (const [part, rows] of [
      ['q', heads * headDim],
      ['k', kvHeads * headDim],
      ['v', kvHeads * headDim],
    ] as const) {
      shapes[`${block}.attn_${part}.weight`] = [rows, hidden];
      if (!queryKeyNorm) shapes[`${block}.attn_${part}.bias`] = [rows];
    }
    if (queryKeyNorm) {
      shapes[`${block}.attn_q_norm.weight`] = [headDim];
      shapes[`${block}.attn_k_norm.weight`] = [headDim];
    }
    shapes[`${block}.attn_output.weight`] = [hidden, heads * headDim];
    shapes[`${block}.attn_norm.weight`] = [hidden];
    shapes[`${block}.ffn_norm.weight`] = [hidden];
    shapes[`${block}.ffn_gate.weight`] = [intermediate, hidden];
    shapes[`${block}.ffn_up.weight`] = [intermediate, hidden];
    shapes[`${block}.ffn_down.weight`] = [hidden, intermediate];
  }
  shapes['output_norm.weight'] = [hidden];
  return {
    metadata: {
      'general.architecture': architecture,
      'general.type': 'model',
      'general.name': name,
      ...prefixed(architecture, {
        block_count: layers,
        context_length: decoder.maxPositions,
        embedding_length: hidden,
        feed_forward_length: intermediate,
        'attention.head_count': heads,
        'attention.head_count_kv': kvHeads,
        'attention.layer_norm_rms_epsilon': 1e-6,
        'rope.freq_base': decoder.ropeTheta,
        'rope.dimension_sections': [...decoder.ropeSections, 0],
        ...(queryKeyNorm
          ? {
              'attention.key_length': headDim,
              'attention.value_length': headDim,
              n_deepstack_layers: deepstack,
            }
          : {}),
      }),
      ...vocabulary(vocab),
    },
    tensors: entries(shapes, types, layers),
  };
}

/** The encoder of a decoder of width `output`. */
export function encoderFile(name: string, encoder: EncoderSizes, types: Types, output: number): FileOutline {
  const { projector, hidden, depth, intermediate, patch, merge, positions, deepstack } = encoder;
  const gated = projector === 'qwen2.5vl_merger';
  const merged = hidden * merge ** 2;
  const shapes: Shapes = {
    'v.patch_embd.weight': [hidden, 3, patch, patch],
    'v.patch_embd.weight.1': [hidden, 3, patch, patch],
  };
  const linear = (tensor: string, rows: number, cols: number) => {
    shapes[`${tensor}.weight`] = [rows, cols];
    shapes[`${tensor}.bias`] = [rows];
  };
  const norm = (tensor: string, width = hidden) => {
    shapes[`${tensor}.weight`] = [width];
    if (!gated) shapes[`${tensor}.bias`] = [width];
  };
  if (!gated) shapes['v.patch_embd.bias'] = [hidden];
  if (positions) shapes['v.position_embd.weight'] = [positions, hidden];
  for (let index = 0; index < depth; index++) {
    const block = `v.blk.${index}`;
    norm(`${block}.ln1`);
    norm(`${block}.ln2`);
    if (gated) for (const part of ['q', 'k', 'v']) linear(`${block}.attn_${part}`, hidden, hidden);
    else linear(`${block}.attn_qkv`, 3 * hidden, hidden);
    linear(`${block}.attn_out`, hidden, hidden);
    if (gated) linear(`${block}.ffn_gate`, intermediate, hidden);
    linear(`${block}.ffn_up`, intermediate, hidden);
    linear(`${block}.ffn_down`, hidden, intermediate);
  }
  norm('v.post_ln');
  linear('mm.0', merged, merged);
  linear('mm.2', output, merged);
  for (const block of deepstack ?? []) {
    norm(`v.deepstack.${block}.norm`, merged);
    linear(`v.deepstack.${block}.fc1`, merged, merged);
    linear(`v.deepstack.${block}.fc2`, output, merged);
  }
  return {
    metadata: {
      'general.architecture': 'clip',
      'general.type': 'mmproj',
      'general.name': name,
      'clip.projector_type': projector,
      'clip.has_vision_encoder': true,
      ...prefixed('clip.vision', {
        projection_dim: output,
        patch_size: patch,
        embedding_length: hidden,
        feed_forward_length: intermediate,
        block_count: depth,
        image_mean: encoder.mean,
        image_std: encoder.std,
        'attention.head_count': encoder.heads,
        'attention.layer_norm_epsilon': 1e-6,
        ...(encoder.wholeEvery ? { n_wa_pattern: encoder.wholeEvery } : { spatial_merge_size: merge }),
        ...(deepstack
          ? { is_deepstack_layers: Array.from({ length: depth }, (_, block) => deepstack.includes(block)) }
          : {}),
      }),
      [gated ? 'clip.use_silu' : 'clip.use_gelu']: true,
    },
    tensors: entries(shapes, types, depth),
  };
}

function prefixed(prefix: string, values: Record<string, FixtureValue>): Record<string, FixtureValue> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value]));
}

function entries(shapes: Shapes, types: Types, blocks: number): FixtureEntry[] {
  return Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    type: storedType(name, shape, types, blocks),
  }));
}
