// A vision file (mmproj GGUF, as llama.cpp writes it): which metadata and tensors make the encoder.

import { ModelFormatError } from '../errors';
import type { ModelFile } from '../gguf/model-file';
import type { Matrix, WeightPlan } from '../gpu/weights';
import type { FrameGrid } from '../vision/frame-grid';
import type { NormWeights, VisionHyper, VisionTraits, VisionWeights } from '../vision/hyper';
import { learnedPositions } from '../vision/learned-positions';
import { MAX_HEAD_DIM } from './decoder-file';

/**
 * Reads the encoder's sizes. The width of the feed-forward part comes from the tensors, because files carry
 * the decoder's width or 0 under `clip.vision.feed_forward_length`.
 * @throws ModelFormatError when they are not supported.
 */
export function readVisionHyper(file: ModelFile, traits: VisionTraits): VisionHyper {
  const { metadata } = file;
  const { fileName } = metadata;
  const hyper: VisionHyper = {
    ...traits,
    embed: metadata.number('clip.vision.embedding_length'),
    heads: metadata.number('clip.vision.attention.head_count'),
    depth: metadata.number('clip.vision.block_count'),
    ffn: feedForwardWidth(file, metadata.number('clip.vision.embedding_length')),
    patchSize: metadata.number('clip.vision.patch_size'),
    mergeSize: traits.mergeSize ?? metadata.number('clip.vision.spatial_merge_size', 2),
    // Files of LLaVA's kind have the width of another model's under that key.
    outputWidth:
      traits.projector === 'patch_mlp'
        ? file.weight('mm.2.weight').rows
        : metadata.number('clip.vision.projection_dim'),
    epsilon: metadata.number('clip.vision.attention.layer_norm_epsilon'),
    imageMean: colour(file, 'clip.vision.image_mean'),
    imageStd: colour(file, 'clip.vision.image_std'),
  };
  const { windows } = hyper;
  if (windows && windows.pixels % (hyper.patchSize * hyper.mergeSize) !== 0) {
    throw new ModelFormatError(
      `${fileName} has windows of ${windows.pixels} pixels, which are no whole blocks of ${hyper.mergeSize} × ${hyper.mergeSize} patches of ${hyper.patchSize}.`,
    );
  }
  const headDim = hyper.embed / hyper.heads;
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM || hyper.patchSize % 2 !== 0) {
    throw new ModelFormatError(
      `${fileName} has vision heads of ${headDim} and patches of ${hyper.patchSize} pixels; supported are heads of a multiple of 4 up to ${MAX_HEAD_DIM}, and even patches.`,
    );
  }
  return hyper;
}

const NEWLINE = 'model.image_newline';

/**
 * Asks a weight plan for everything the encoder multiplies by.
 * @throws ModelFormatError when a tensor is missing, or its shape contradicts `hyper`.
 */
export function planVisionWeights(file: ModelFile, plan: WeightPlan, hyper: VisionHyper): VisionWeights {
  const norm = (name: string): NormWeights => ({
    gain: plan.vector([`${name}.weight`]),
    ...(hyper.norm === 'layer' ? { bias: plan.vector([`${name}.bias`]) } : {}),
  });
  const linear = (...names: string[]) =>
    plan.matrix(
      names.map((name) => `${name}.weight`),
      names.map((name) => `${name}.bias`),
    );
  const swapped = feedForwardSwapped(file, hyper.embed);
  const blocks = Array.from({ length: hyper.depth }, (_, index) => {
    const block = `v.blk.${index}`;
    return {
      norm1: norm(`${block}.ln1`),
      qkv: file.tensors.has(`${block}.attn_qkv.weight`)
        ? linear(`${block}.attn_qkv`)
        : linear(`${block}.attn_q`, `${block}.attn_k`, `${block}.attn_v`),
      out: linear(`${block}.attn_out`),
      norm2: norm(`${block}.ln2`),
      fc1: linear(
        ...(hyper.feedForward === 'swiglu' ? [`${block}.ffn_gate`] : []),
        `${block}.${swapped ? 'ffn_down' : 'ffn_up'}`,
      ),
      fc2: linear(`${block}.${swapped ? 'ffn_up' : 'ffn_down'}`),
    };
  });
  const bias = file.tensors.has('v.patch_embd.bias') ? ['v.patch_embd.bias'] : [];
  const weights: VisionWeights = {
    patch: [
      plan.matrix(['v.patch_embd.weight'], bias),
      ...(hyper.framesPerPatch === 2 ? [plan.matrix(['v.patch_embd.weight.1'])] : []),
    ],
    blocks,
    merger: {
      ...(hyper.projector === 'patch_mlp' ? {} : { norm: norm('v.post_ln') }),
      layers:
        hyper.projector === 'linear'
          ? [plan.matrix(['mm.model.fc.weight'])]
          : [linear('mm.0'), linear('mm.2')],
    },
    ...(file.tensors.has(NEWLINE) ? { newline: plan.vector([NEWLINE]) } : {}),
    deepstack: (hyper.deepstackBlocks ?? []).map((block) => {
      const name = `v.deepstack.${block}`;
      return { norm: norm(`${name}.norm`), layers: [linear(`${name}.fc1`), linear(`${name}.fc2`)] };
    }),
  };
  checkShapes(file, hyper, weights);
  return weights;
}

/**
 * The encoder's learned positions for a grid of frames, if it has any: see {@link learnedPositions}.
 * @throws ModelFormatError when the file has none, or not for a square.
 */
export async function readPositions(
  file: ModelFile,
  hyper: VisionHyper,
  grid: FrameGrid,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  if (!hyper.learnedPositions) return undefined;
  const name = 'v.position_embd.weight';
  const { rows, cols } = file.weight(name);
  if (cols !== hyper.embed || !Number.isInteger(Math.sqrt(rows))) {
    throw new ModelFormatError(
      `${file.metadata.fileName}: the table of positions is ${rows} × ${cols}, not a square of embeddings of ${hyper.embed}; the file is damaged or of another model.`,
    );
  }
  return learnedPositions(await file.values(name), hyper.embed, grid, hyper.learnedPositions);
}

/** Files of llama.cpp's first Qwen2-VL converter name the two feed-forward matrices the other way round. */
function feedForwardSwapped(file: ModelFile, embed: number): boolean {
  return file.tensors.get('v.blk.0.ffn_down.weight')?.cols === embed;
}

function feedForwardWidth(file: ModelFile, embed: number): number {
  const { rows, cols } = file.weight('v.blk.0.ffn_up.weight');
  return feedForwardSwapped(file, embed) ? cols : rows;
}

function colour(file: ModelFile, key: string): [number, number, number] {
  const [r, g, b, ...rest] = file.metadata.numbers(key);
  if (r === undefined || g === undefined || b === undefined || rest.length > 0) {
    throw new ModelFormatError(`${file.metadata.fileName}: metadata "${key}" should be three numbers.`);
  }
  return [r, g, b];
}

function checkShapes(file: ModelFile, hyper: VisionHyper, weights: VisionWeights): void {
  const { embed, ffn, patchSize, mergeSize, outputWidth } = hyper;
  const gated = hyper.feedForward === 'swiglu';
  const merged = embed * mergeSize ** 2;
  const check = (what: string, { rows, cols }: Matrix, wantedRows: number, wantedCols: number) => {
    if (rows === wantedRows && cols === wantedCols) return;
    throw new ModelFormatError(
      `${file.metadata.fileName}: the ${what} is ${rows} × ${cols} where its metadata asks for ${wantedRows} × ${wantedCols}; the file is damaged or of another model.`,
    );
  };
  for (const matrix of weights.patch) check('patch embedding', matrix, embed, 3 * patchSize ** 2);
  weights.blocks.forEach(({ qkv, out, fc1, fc2 }, i) => {
    check(`attention input of block ${i}`, qkv, 3 * embed, embed);
    check(`attention output of block ${i}`, out, embed, embed);
    check(`feed-forward input of block ${i}`, fc1, gated ? 2 * ffn : ffn, embed);
    check(`feed-forward output of block ${i}`, fc2, embed, ffn);
  });
  const between = hyper.projector === 'patch_mlp' ? outputWidth : merged;
  for (const { layers } of [weights.merger, ...weights.deepstack]) {
    for (const hidden of layers.slice(0, -1)) check('first merger matrix', hidden, between, merged);
    check('last merger matrix', layers.at(-1)!, outputWidth, between);
  }
}
