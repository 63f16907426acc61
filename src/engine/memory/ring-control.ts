// The uniform block of the ring's own kernels (mirror of shaders/lib/ring_control.wesl).

import type { BufferSpec } from '../gpu/memory-plan';
import type { ScoreKind } from './policies/policy';
import type { PoolWindows } from './pool-windows';

/** See shaders/lib/ring_control.wesl for the meaning of each field. */
export interface RingControl {
  readonly nextSeq: number;
  readonly scanSlots: number;
  readonly freeTail: number;
  readonly firstRecent: number;
  readonly recentFrames: number;
  readonly evenFrames: number;
  readonly seed: number;
  readonly pool: PoolWindows;
  readonly stages: readonly { readonly score: ScoreKind; readonly upTo: number }[];
  readonly dropFirst: number;
  readonly dropEnd: number;
}

const MAX_STAGES = 4;
const STAGES_AT = 12;
const CONTROL_WORDS = STAGES_AT + MAX_STAGES * 4;
// tar and even: whatever stands in ring.scores.
const SCORE_CODES: Readonly<Record<ScoreKind, number>> = {
  recency: 0,
  tar: 1,
  even: 1,
  van: 2,
  random: 3,
  'pooled-van': 4,
};

export function planRingControl(): BufferSpec {
  return { name: 'ring.control', kind: 'uniform', purpose: 'control', bytes: CONTROL_WORDS * 4 };
}

/** Queues the write of `control`; fields left out are 0. */
export function writeRingControl(device: GPUDevice, buffer: GPUBuffer, control: Partial<RingControl>): void {
  const { nextSeq = 0, scanSlots = 0, freeTail = 0, firstRecent = 0, recentFrames = 0 } = control;
  const { stages = [], dropFirst = 0, dropEnd = 0, evenFrames = 0, seed = 0, pool } = control;
  if (stages.length > MAX_STAGES) throw new Error(`A retention policy has at most ${MAX_STAGES} stages`);
  const words = new Uint32Array(CONTROL_WORDS);
  words.set([nextSeq, scanSlots, freeTail, firstRecent, recentFrames, stages.length, dropFirst, dropEnd]);
  words.set([evenFrames, seed, pool?.volume ?? 0, pool?.plane ?? 0], 8);
  stages.forEach(({ score, upTo }, i) => {
    words.set([SCORE_CODES[score], upTo], STAGES_AT + i * 4);
  });
  device.queue.writeBuffer(buffer, 0, words);
}
