// The ring's shape, its buffers in the memory plan, and the ranges of them that belong to one layer.

import { InvalidInputError } from '../errors';
import type { Ledger } from '../gpu/ledger';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { planRingControl } from './ring-control';

/** How large the KV ring is. */
export interface RingShape {
  readonly layers: number;
  readonly kvHeads: number;
  /** A multiple of 4. */
  readonly headDim: number;
  /** Slots of each (layer, head), of all regions together; a multiple of 64. */
  readonly capacity: number;
  /** Visual tokens the encoder emits at once for a frame (Qwen2-VL: for a temporal patch of two frames). */
  readonly tokensPerFrame: number;
  /** Columns of a frame's grid of tokens; they stand row by row. */
  readonly gridColumns: number;
  /** `f16`: halves packed in pairs by pack2x16float. `f32`: for numerical comparisons only. */
  readonly kvFormat: 'f16' | 'f32';
}

/** Marks a free slot. */
export const EMPTY = 0xffffffff;

/** 32-bit words of a slot: sequence number, frame, patch, value norm (f32), time; see shaders/lib/slots.wesl. */
export const SLOT_WORDS = 5;

// One workgroup selects within a (layer, head) with a bit a slot in shared memory: 8 KiB of the 16.
const MAX_CAPACITY = 65536;

/** @throws InvalidInputError naming the field that is out of range. */
export function checkRingShape(shape: RingShape): void {
  const { layers, kvHeads, headDim, capacity, tokensPerFrame, gridColumns } = shape;
  const counts = { layers, kvHeads, headDim, capacity, tokensPerFrame, gridColumns };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new InvalidInputError(`The KV ring's ${name} is ${value}; it must be a positive whole number.`);
    }
  }
  if (capacity > MAX_CAPACITY) {
    throw new InvalidInputError(
      `Memory for ${capacity} tokens, text included, was asked for; it holds ${MAX_CAPACITY} at most. Choose a smaller budget.`,
    );
  }
  if (capacity % 64 !== 0) {
    throw new InvalidInputError(`The KV ring's capacity is ${capacity} slots; it must be a multiple of 64.`);
  }
  if (tokensPerFrame % gridColumns !== 0) {
    throw new InvalidInputError(
      `The KV ring's frames have ${tokensPerFrame} tokens, which do not fill rows of ${gridColumns}.`,
    );
  }
  if (headDim % 4 !== 0) {
    throw new InvalidInputError(`The KV ring's headDim is ${headDim}; it must be a multiple of 4.`);
  }
}

/** 32-bit words of one key or value row. */
export function rowWords({ headDim, kvFormat }: Pick<RingShape, 'headDim' | 'kvFormat'>): number {
  return kvFormat === 'f16' ? headDim / 2 : headDim;
}

/** Bytes of keys and values behind one token, over all layers and heads. */
export function bytesPerToken(shape: Pick<RingShape, 'layers' | 'kvHeads' | 'headDim' | 'kvFormat'>): number {
  return shape.layers * shape.kvHeads * rowWords(shape) * 4 * 2;
}

/**
 * The ring's lines of the memory plan:
 * - `ring.keys.N`, `ring.values.N` of layer N: [kvHeads][capacity][headDim] as `kvFormat` says,
 * - `ring.slots` [layers][kvHeads][capacity] Slot, `ring.free` [layers][kvHeads][capacity] u32,
 * - what pruning needs besides: `ring.recent` (slot of each recent token), `ring.scores` (a float a slot),
 *   `ring.means` (of one layer), `ring.even` (numbers of frames), `ring.index` (two words a slot: where tokens
 *   stand on their frames' grid, or how far keys are turned), `ring.peaks` (a
 *   float a head), `ring.pooled` (a word a slot) and `ring.control`.
 * @throws InvalidInputError when the shape is out of range.
 */
export function planRing(shape: RingShape): BufferSpec[] {
  checkRingShape(shape);
  const heads = shape.layers * shape.kvHeads;
  const slots = heads * shape.capacity;
  const rows = shape.kvHeads * shape.capacity * rowWords(shape);
  return [
    ...Array.from({ length: shape.layers }, (_, layer) => [
      storage(`ring.keys.${layer}`, 'kv-cache', rows),
      storage(`ring.values.${layer}`, 'kv-cache', rows),
    ]).flat(),
    storage('ring.slots', 'control', slots * SLOT_WORDS),
    storage('ring.free', 'control', slots),
    storage('ring.recent', 'activations', slots),
    storage('ring.scores', 'activations', slots),
    storage('ring.means', 'activations', shape.kvHeads * shape.tokensPerFrame * shape.headDim),
    storage('ring.index', 'activations', slots * 2),
    storage('ring.peaks', 'activations', heads),
    storage('ring.pooled', 'activations', slots),
    storage('ring.even', 'control', Math.ceil(shape.capacity / shape.tokensPerFrame)),
    planRingControl(),
  ];
}

/** The buffers and ranges of one layer, [kvHeads][capacity] each, as kernels bind them. */
export interface RingLayer {
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  readonly slots: GPUBufferBinding;
  readonly free: GPUBufferBinding;
  readonly recent: GPUBufferBinding;
  readonly scores: GPUBufferBinding;
  /** Two words a slot: see shaders/ring_turned.wesl. */
  readonly turned: GPUBufferBinding;
}

/** The part of the ring that belongs to `layer`. */
export function ringLayer(ledger: Ledger, shape: RingShape, layer: number): RingLayer {
  // Offsets are multiples of 256 bytes, as WebGPU wants, because capacity is a multiple of 64.
  const range = (name: string, words: number): GPUBufferBinding => {
    const size = shape.kvHeads * shape.capacity * words * 4;
    return { buffer: ledger.get(name), offset: layer * size, size };
  };
  return {
    keys: ledger.get(`ring.keys.${layer}`),
    values: ledger.get(`ring.values.${layer}`),
    slots: range('ring.slots', SLOT_WORDS),
    free: range('ring.free', 1),
    recent: range('ring.recent', 1),
    scores: range('ring.scores', 1),
    // Keys are compared before norms are pooled, so both can use it.
    turned: range('ring.index', 2),
  };
}
