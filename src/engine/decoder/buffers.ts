// The decoder's lines in the memory plan: activations of one block, logits, and what a token comes back in.

import type { Gpu } from '../gpu/device';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { planStep } from '../gpu/step';
import type { DecoderHyper } from './hyper';

/** Slots an attention workgroup of a decode step walks at most; more slots make more workgroups. */
const SLOTS_A_SPLIT = 256;

/** Decode steps that may be submitted before the first of their tokens is read. */
export const STEPS_IN_FLIGHT = 4;

/** Workgroups a KV head of a decode step: enough to share out a full ring. */
export function attentionSplits(capacity: number): number {
  return Math.min(32, Math.max(1, Math.ceil(capacity / SLOTS_A_SPLIT)));
}

/**
 * @param blockTokens most tokens a prefill block carries.
 * @param capacity slots of the ring.
 * @param kernels which version will run.
 */
export function planDecoder(
  hyper: DecoderHyper,
  blockTokens: number,
  capacity: number,
  kernels: Gpu['kernels'],
): BufferSpec[] {
  const { width, heads, kvHeads, headDim, ffnWidth, vocab } = hyper;
  const splits = attentionSplits(capacity);
  const block = (name: string, words: number) =>
    storage(`decoder.${name}`, 'activations', blockTokens * words);
  return [
    planStep('decoder.step'),
    planStep('decoder.one'),
    storage('decoder.ids', 'control', blockTokens),
    storage('decoder.rotary', 'control', blockTokens * headDim),
    block('hidden', width),
    block('normed', width),
    block('qkv', (heads + 2 * kvHeads) * headDim),
    block('attended', heads * headDim),
    block('gate_up', 2 * ffnWidth),
    block('ffn', ffnWidth),
    ...Array.from({ length: hyper.deepstackLayers }, (_, i) => block(`features.${i}`, width)),
    ...(kernels === 'direct'
      ? [block('scores', heads * capacity)]
      : [
          storage('decoder.sums', 'activations', splits * heads * headDim),
          storage('decoder.extents', 'activations', splits * heads * 2),
        ]),
    storage('decoder.last', 'activations', width),
    storage('decoder.logits', 'activations', vocab),
    ...Array.from(
      { length: STEPS_IN_FLIGHT },
      (_, i): BufferSpec => ({
        name: `decoder.token.${i}`,
        kind: 'staging',
        purpose: 'readback',
        bytes: 4,
      }),
    ),
  ];
}
