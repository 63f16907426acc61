// The step block: the few numbers that differ between runs of one program (mirror of shaders/lib/step.wesl).

import type { BufferSpec } from './memory-plan';

/** Marks tokens that belong to no frame. */
export const TEXT = 0xffffffff;

/** See shaders/lib/step.wesl for the meaning of each field. */
export interface Step {
  readonly tokens: number;
  readonly firstSeq: number;
  readonly freeHead: number;
  readonly scanSlots: number;
  readonly frame: number;
  readonly seed: number;
  readonly topK: number;
  readonly temperature: number;
  readonly topP: number;
  readonly time: number;
}

const STEP_BYTES = 48;

/** A uniform buffer for one {@link Step}. */
export function planStep(name: string): BufferSpec {
  return { name, kind: 'uniform', purpose: 'control', bytes: STEP_BYTES };
}

/** Queues the write of `step`; fields left out are 0, the time is the number of the frame. */
export function writeStep(device: GPUDevice, buffer: GPUBuffer, step: Partial<Step>): void {
  const words = new Uint32Array(STEP_BYTES / 4);
  const { tokens = 0, firstSeq = 0, freeHead = 0, scanSlots = 0, frame = 0, seed = 0, topK = 0 } = step;
  words.set([tokens, firstSeq, freeHead, scanSlots, frame, seed, topK]);
  new Float32Array(words.buffer).set([step.temperature ?? 0, step.topP ?? 1], 7);
  words[9] = step.time ?? frame;
  device.queue.writeBuffer(buffer, 0, words);
}
