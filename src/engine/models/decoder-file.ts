// A decoder's file (GGUF, as llama.cpp writes it): its hyper-parameters, and which tensors make the decoder.

import type { DecoderHyper, DecoderTraits } from '../decoder/hyper';
import type { DecoderWeights } from '../decoder/weights';
import { ModelFormatError } from '../errors';
import type { ModelFile } from '../gguf/model-file';
import type { AdjacentPairs, WeightPlan } from '../gpu/weights';

/** Largest head dimension that the attention kernels, of decoder and encoder, hold in workgroup memory. */
export const MAX_HEAD_DIM = 128;

/**
 * Reads the decoder's hyper-parameters.
 * @throws ModelFormatError when it is of a shape the kernels do not run.
 */
export function readDecoderHyper(file: ModelFile, traits: DecoderTraits): DecoderHyper {
  const { metadata, tensors } = file;
  const key = (name: string) => `${metadata.string('general.architecture')}.${name}`;
  const width = metadata.number(key('embedding_length'));
  const heads = metadata.number(key('attention.head_count'));
  const headDim = metadata.number(key('attention.key_length'), width / heads);
  // Positions of one axis are told by their time.
  const sections = traits.mrope ? metadata.numbers(key('rope.dimension_sections')) : [headDim / 2];
  const hyper: DecoderHyper = {
    ...traits,
    layers: metadata.number(key('block_count')),
    width,
    heads,
    kvHeads: metadata.number(key('attention.head_count_kv')),
    headDim,
    ffnWidth: metadata.number(key('feed_forward_length')),
    vocab: tensors.get('token_embd.weight')?.rows ?? metadata.strings('tokenizer.ggml.tokens').length,
    contextLength: metadata.number(key('context_length')),
    normEpsilon: metadata.number(key('attention.layer_norm_rms_epsilon')),
    ropeTheta: metadata.number(key('rope.freq_base')),
    ropeSections: [sections[0] ?? 0, sections[1] ?? 0, sections[2] ?? 0],
    deepstackLayers: metadata.number(key('n_deepstack_layers'), 0),
  };
  checkPositions(file, key('rope.scaling.type'));
  checkHyper(file.source.name, hyper);
  return hyper;
}

/** @throws ModelFormatError when positions turn otherwise than by a power of the base: they would be wrong silently. */
function checkPositions({ metadata, tensors, source }: ModelFile, scaling: string): void {
  const scaled = metadata.has(scaling) && metadata.string(scaling) !== 'none';
  if (!scaled && !tensors.has('rope_freqs.weight')) return;
  throw new ModelFormatError(
    `${source.name} stretches its rotary positions for long contexts, which this engine does not do. Download the model without a long-context extension.`,
  );
}

function checkHyper(name: string, { headDim, heads, kvHeads, ropeSections }: DecoderHyper): void {
  if (!Number.isInteger(headDim) || headDim % 8 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new ModelFormatError(
      `${name}: heads of ${headDim} elements; the kernels run multiples of 8 up to ${MAX_HEAD_DIM}.`,
    );
  }
  if (heads % kvHeads !== 0) {
    throw new ModelFormatError(
      `${name}: ${heads} query heads cannot share ${kvHeads} key-value heads evenly.`,
    );
  }
  const pairs = ropeSections.reduce((sum, section) => sum + section, 0);
  if (pairs !== headDim / 2) {
    throw new ModelFormatError(
      `${name}: the rotary sections ${ropeSections.join(', ')} turn ${pairs} pairs, but a head has ${headDim / 2}.`,
    );
  }
}

/** Asks the plan for every tensor of the decoder; the head is the embedding where the file has none of its own. */
export function planDecoderWeights(plan: WeightPlan, hyper: DecoderHyper): DecoderWeights {
  const { width, ffnWidth, vocab } = hyper;
  const heads = hyper.heads * hyper.headDim;
  const kvHeads = hyper.kvHeads * hyper.headDim;
  /** Tensors stacked by rows, whose shape must be what the hyper-parameters say. */
  const matrix = (
    names: string[],
    [rows, cols]: readonly [number, number],
    biases: string[] = [],
    adjacent?: AdjacentPairs,
  ) => {
    const planned = plan.matrix(names, biases, adjacent);
    if (planned.rows === rows && planned.cols === cols) return planned;
    throw new ModelFormatError(
      `The tensors ${names.join(', ')} make a matrix of ${planned.rows} × ${planned.cols}, but by the file's metadata it is ${rows} × ${cols}; the file is damaged or of another architecture.`,
    );
  };
  const embedding = matrix(['token_embd.weight'], [vocab, width]);
  return {
    embedding,
    layers: Array.from({ length: hyper.layers }, (_, layer) => {
      const name = (part: string) => `blk.${layer}.${part}`;
      const qkv = ['attn_q', 'attn_k', 'attn_v'];
      return {
        attentionNorm: plan.vector([name('attn_norm.weight')]),
        qkv: matrix(
          qkv.map((part) => name(`${part}.weight`)),
          [heads + 2 * kvHeads, width],
          hyper.qkvBias ? qkv.map((part) => name(`${part}.bias`)) : [],
          hyper.adjacentPairs
            ? { of: [name('attn_q.weight'), name('attn_k.weight')], headDim: hyper.headDim }
            : undefined,
        ),
        ...(hyper.qkNorm
          ? { headNorms: plan.vector([name('attn_q_norm.weight'), name('attn_k_norm.weight')]) }
          : {}),
        attentionOutput: matrix([name('attn_output.weight')], [width, heads]),
        ffnNorm: plan.vector([name('ffn_norm.weight')]),
        gateUp: matrix([name('ffn_gate.weight'), name('ffn_up.weight')], [2 * ffnWidth, width]),
        down: matrix([name('ffn_down.weight')], [width, ffnWidth]),
      };
    }),
    outputNorm: plan.vector(['output_norm.weight']),
    head: plan.has('output.weight') ? matrix(['output.weight'], [vocab, width]) : embedding,
  };
}
