// The ledger: creates every buffer of a memory plan, once, and accounts for each byte until disposed.

import { OutOfMemoryError } from '../errors';
import { guardMemory } from './device';
import { bytesByPurpose, checkPlan, type MemoryPlan, type Purpose, planBytes } from './memory-plan';

const USAGE = {
  // Functions, because Node has no GPUBufferUsage until Dawn's globals are installed.
  storage: () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  uniform: () => GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  staging: () => GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
} as const;

/** All GPU buffers of one session by name. */
export class Ledger {
  readonly plan: MemoryPlan;
  readonly bytes: number;
  readonly bytesByPurpose: Readonly<Record<Purpose, number>>;
  readonly #buffers: Map<string, GPUBuffer>;

  private constructor(plan: MemoryPlan, buffers: Map<string, GPUBuffer>) {
    this.plan = plan;
    this.bytes = planBytes(plan);
    this.bytesByPurpose = bytesByPurpose(plan);
    this.#buffers = buffers;
  }

  /**
   * Creates the plan's buffers.
   * @throws OutOfMemoryError when a limit is exceeded or the device has no room; what was created is released.
   */
  static async create(device: GPUDevice, plan: MemoryPlan): Promise<Ledger> {
    checkPlan(plan, device.limits);
    const buffers = new Map<string, GPUBuffer>();
    try {
      // A size the device does not allow is a validation error, not one of memory.
      device.pushErrorScope('validation');
      await guardMemory(device, `${(planBytes(plan) / 2 ** 20).toFixed(0)} MiB of buffers`, () => {
        for (const { name, bytes, kind } of plan) {
          buffers.set(name, device.createBuffer({ label: name, size: bytes, usage: USAGE[kind]() }));
        }
      });
      const invalid = await device.popErrorScope();
      if (invalid) throw new OutOfMemoryError(`A buffer was refused: ${invalid.message}`);
    } catch (error) {
      for (const buffer of buffers.values()) buffer.destroy();
      throw error;
    }
    return new Ledger(plan, buffers);
  }

  /** The buffer of that name; asking for one that was not planned is a programming error. */
  get(name: string): GPUBuffer {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new Error(`No buffer '${name}' in the memory plan`);
    return buffer;
  }

  dispose(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}
