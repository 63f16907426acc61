// Prunes at the size of a real model's ring, without the model: slots as whole frames leave them, random keys.
// Beside them what the same device would need at best, to move the bytes of a prune and to ingest the frames
// between two prunes.

import type { RetentionChoice } from '../cli/retention';
import type { Rope } from '../src/engine/decoder/hyper';
import type { Gpu } from '../src/engine/gpu/device';
import { Ledger } from '../src/engine/gpu/ledger';
import { pruneTarget } from '../src/engine/memory/budget';
import { comparesKeys } from '../src/engine/memory/policies';
import { Ring } from '../src/engine/memory/ring';
import { bytesPerToken, planRing, type RingShape, SLOT_WORDS } from '../src/engine/memory/ring-shape';
import { KeyRotation, planRotation } from '../src/engine/memory/rotation';
import { randomWords } from '../src/engine/memory/testing/random-rows';
import { median, timed } from './measure';
import type { Peaks } from './peaks';
import { ONE_VIDEO } from './stages';

/** What something done to the whole ring costs. */
export interface RingCost {
  readonly ms: number;
  readonly leastMs: number;
  readonly runs: number;
  /** Bytes that must be read or written once, and how long that takes at the device's copy rate. */
  readonly bytes: number;
  readonly atBestMs: number;
}

/** A prune by one policy. */
export interface RingPrune extends RingCost {
  /** Its name. */
  readonly policy: string;
  /** Most of the time of watching that such prunes can take, unless halves multiply faster than f32. */
  readonly shareAtMost: number;
}

export interface RingReport {
  readonly shape: RingShape;
  readonly kvBytes: number;
  readonly keptTokens: number;
  /** The decoder's matrix products of the frames between two prunes, at the device's multiply-add rate. */
  readonly ingestAtBestMs: number;
  readonly prunes: readonly RingPrune[];
  /** Turning every key to another position. */
  readonly rebase: RingCost;
}

/** Qwen2.5-VL-3B's, seeing 448 × 336 pixels. */
const SHAPE_3B: RingShape = {
  layers: 36,
  kvHeads: 2,
  headDim: 128,
  capacity: 6144,
  tokensPerFrame: 192,
  gridColumns: 16,
  kvFormat: 'f16',
};
/** And its decoder's. */
const WIDTH = 2048;
const FFN_WIDTH = 11008;

const RUNS = 10;
const SEED = 3;

/**
 * @param shape of a ring for visual tokens alone.
 * @throws OutOfMemoryError where the ring, of 250 MB for a 3B model, finds no room.
 */
export async function measureRing(
  gpu: Gpu,
  peaks: Peaks,
  policies: readonly RetentionChoice[],
  shape = SHAPE_3B,
): Promise<RingReport> {
  const { capacity, tokensPerFrame } = shape;
  const ledger = await Ledger.create(gpu.device, [...planRing(shape), ...planRotation(shape)]);
  try {
    const ring = await Ring.create(gpu, ledger, shape, capacity, true);
    const rotation = await KeyRotation.create(gpu, ledger, shape, ropeOf(shape));
    const slots = fillRows(gpu.device, ledger, shape);
    const keptTokens = pruneTarget(ring.budget, tokensPerFrame);
    const ingestAtBestMs = ((capacity - keptTokens) * flopsAToken(shape)) / peaks.gigaflops / 1e6;
    const copyRate = Math.max(peaks.kernelCopyGigabytes, peaks.bufferCopyGigabytes);
    /** Of the ring filled anew each time. */
    const measure = async (bytes: number, run: () => unknown): Promise<RingCost> => {
      const times: number[] = [];
      for (let i = 0; i <= RUNS; i++) {
        fill(gpu.device, ledger, ring, slots);
        const { ms } = await timed(gpu.device, run);
        if (i > 0) times.push(ms); // some drivers compile at the first run
      }
      const atBestMs = bytes / copyRate / 1e6;
      return { ms: median(times), leastMs: Math.min(...times), runs: times.length, bytes, atBestMs };
    };
    const prunes: RingPrune[] = [];
    for (const { name, how } of policies) {
      ring.configure(how);
      const cost = await measure(pruneBytes(comparesKeys(how.policy), keptTokens, shape), () =>
        ring.makeRoom(() => rotation.locate(ONE_VIDEO, ring.nextSeq)),
      );
      prunes.push({ ...cost, policy: name, shareAtMost: cost.leastMs / (cost.leastMs + ingestAtBestMs) });
    }
    const rebase = await measure(rebaseBytes(shape), () =>
      rotation.rebase([{ first: 0, shift: 1, zeroBefore: 0, zeroAfter: 0 }], ring.nextSeq),
    );
    const kvBytes = capacity * bytesPerToken(shape);
    return { shape, kvBytes, keptTokens, ingestAtBestMs, prunes, rebase };
  } finally {
    ledger.dispose();
  }
}

/** Rotary positions in that model's proportions: of 128 elements 16 pairs by time, 24 by row, 24 by column. */
function ropeOf({ headDim }: RingShape): Rope {
  const sections = [headDim / 8, (headDim * 3) / 16, (headDim * 3) / 16] as const;
  return { ropeTheta: 1e6, ropeSections: sections };
}

/** Random keys; values are not read, their norms stand in the slots. @returns the slots of a full ring. */
function fillRows(
  device: GPUDevice,
  ledger: Ledger,
  { layers, kvHeads, capacity, tokensPerFrame }: RingShape,
): Uint32Array<ArrayBuffer> {
  const next = randomWords(SEED);
  for (let layer = 0; layer < layers; layer++) {
    const buffer = ledger.get(`ring.keys.${layer}`);
    // Pairs of halves: any sign, magnitudes from 2^-7 to 2^-6.
    const words = Uint32Array.from({ length: buffer.size / 4 }, () => (next() & 0x83ff83ff) | 0x20002000);
    device.queue.writeBuffer(buffer, 0, words);
  }
  const slots = new Uint32Array(layers * kvHeads * capacity * SLOT_WORDS);
  const norms = new Float32Array(slots.buffer);
  for (let i = 0; i < layers * kvHeads * capacity; i++) {
    const seq = i % capacity;
    slots.set([seq, Math.floor(seq / tokensPerFrame), seq % tokensPerFrame], i * SLOT_WORDS);
    norms[i * SLOT_WORDS + 3] = next() / 2 ** 32;
  }
  return slots;
}

/** Fills an emptied ring with frames, as far as the CPU, pruning and rebasing know. */
function fill(device: GPUDevice, ledger: Ledger, ring: Ring, slots: Uint32Array<ArrayBuffer>): void {
  const { capacity, tokensPerFrame } = ring.shape;
  ring.reset();
  for (let tokens = 0; tokens < capacity; tokens += tokensPerFrame) ring.allocate('visual', tokensPerFrame);
  device.queue.writeBuffer(ledger.get('ring.slots'), 0, slots);
}

/** Every slot is read and, where a policy compares keys, every key; a freed slot and its place in the list are written. */
function pruneBytes(comparesKeys: boolean, keptTokens: number, shape: RingShape): number {
  const { layers, kvHeads, headDim, capacity } = shape;
  const read = capacity * (4 * SLOT_WORDS + (comparesKeys ? 2 * headDim : 0));
  return layers * kvHeads * (read + (capacity - keptTokens) * 2 * 4);
}

/** Every slot is read, and every key read and written. */
function rebaseBytes({ layers, kvHeads, headDim, capacity }: RingShape): number {
  return layers * kvHeads * capacity * (4 * SLOT_WORDS + 2 * 2 * headDim);
}

/** Multiplications and additions of the layers' matrix products: query and output, key and value, gate, up and down. */
function flopsAToken({ layers, kvHeads, headDim }: RingShape): number {
  return 2 * layers * WIDTH * (2 * WIDTH + 2 * kvHeads * headDim + 3 * FFN_WIDTH);
}
