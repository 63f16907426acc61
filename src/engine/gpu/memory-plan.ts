// The memory plan: every GPU buffer of a session with name, size and purpose, known before anything is
// created. Parts of the engine each contribute their own lines; nothing else may create a buffer.

import { OutOfMemoryError } from '../errors';

/** What a buffer is for; the ledger and the memory panel sum by it. */
export type Purpose = 'weights' | 'kv-cache' | 'activations' | 'frames' | 'control' | 'readback';

/** `storage` buffers are read and written by kernels, `uniform` by the CPU only, `staging` is mapped for reading. */
export type BufferKind = 'storage' | 'uniform' | 'staging';

/** One line of the plan. */
export interface BufferSpec {
  readonly name: string;
  readonly bytes: number;
  readonly purpose: Purpose;
  readonly kind: BufferKind;
}

export type MemoryPlan = readonly BufferSpec[];

/** Shorthand for a storage buffer of `words` 32-bit values. */
export function storage(name: string, purpose: Purpose, words: number): BufferSpec {
  return { name, purpose, kind: 'storage', bytes: Math.max(4, words * 4) };
}

/** Sum of a plan in bytes. */
export function planBytes(plan: MemoryPlan): number {
  return plan.reduce((sum, spec) => sum + spec.bytes, 0);
}

/** Bytes of a plan by purpose. */
export function bytesByPurpose(plan: MemoryPlan): Record<Purpose, number> {
  const sums = { weights: 0, 'kv-cache': 0, activations: 0, frames: 0, control: 0, readback: 0 };
  for (const spec of plan) sums[spec.purpose] += spec.bytes;
  return sums;
}

/**
 * Checks a plan against the limits of a device.
 * @throws OutOfMemoryError naming the buffer, its size and the limit.
 */
export function checkPlan(
  plan: MemoryPlan,
  limits: Pick<GPUSupportedLimits, 'maxBufferSize' | 'maxStorageBufferBindingSize'>,
): void {
  const names = new Set<string>();
  for (const { name, bytes, kind } of plan) {
    if (names.has(name)) throw new Error(`The memory plan names '${name}' twice`);
    names.add(name);
    const limit =
      kind === 'storage'
        ? Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)
        : limits.maxBufferSize;
    if (bytes > limit) {
      throw new OutOfMemoryError(
        `The buffer '${name}' needs ${mebibytes(bytes)} but this device allows ${mebibytes(limit)} in one piece. Choose a smaller memory budget or a smaller model.`,
      );
    }
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
