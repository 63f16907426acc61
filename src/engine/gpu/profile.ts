// Milliseconds by kernel. A profiled device is the same device, but while it records, each dispatch gets a compute
// pass of its own between two timestamps. Nothing else in the engine knows: whatever runs on a device, programs,
// ring and session alike, runs on this one. Slower than the plain device, so only for profiles.

import { UnsupportedDeviceError } from '../errors';
import type { Gpu } from './device';

/** Time of all dispatches of one kernel. */
export interface KernelTime {
  /** The pipeline's label; see `KernelSpec`. */
  readonly kernel: string;
  readonly dispatches: number;
  readonly ms: number;
}

/** Dispatches that one query set takes the times of; WebGPU allows 4096 queries. */
const DISPATCHES_A_SET = 2048;

/** Two timestamps of 8 bytes. */
const BYTES_A_DISPATCH = 16;

interface QueryRun {
  readonly querySet: GPUQuerySet;
  readonly labels: string[];
}

/** A device to load a model onto, and the recording of what it runs. */
export class Profiler {
  /** Give this to whatever is to be profiled. */
  readonly gpu: Gpu;
  readonly #device: GPUDevice;
  #recording = false;
  #runs: QueryRun[] = [];

  /** @throws UnsupportedDeviceError when the device has no timestamp queries. */
  constructor(gpu: Gpu) {
    if (!gpu.features.timestamps) {
      throw new UnsupportedDeviceError(
        `${gpu.adapterName} has no timestamp queries, so kernels cannot be timed one by one. Profile on another adapter.`,
      );
    }
    this.#device = gpu.device;
    const device = overlay(gpu.device, {
      createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) => {
        const encoder = gpu.device.createCommandEncoder(descriptor);
        if (!this.#recording) return encoder;
        return overlay(encoder, { beginComputePass: () => this.#splitPass(encoder) });
      },
    });
    this.gpu = { ...gpu, device };
  }

  /** Records what `run` submits. @returns times by kernel, longest first. */
  async record(run: () => Promise<void>): Promise<KernelTime[]> {
    this.#recording = true;
    try {
      await run();
    } finally {
      this.#recording = false;
    }
    const runs = this.#runs;
    this.#runs = [];
    const sums = new Map<string, { dispatches: number; ms: number }>();
    for (const { querySet, labels } of runs) {
      const times = await this.#resolve(querySet, labels.length);
      labels.forEach((label, i) => {
        const sum = sums.get(label) ?? { dispatches: 0, ms: 0 };
        sums.set(label, { dispatches: sum.dispatches + 1, ms: sum.ms + times[i]! });
      });
    }
    return [...sums].map(([kernel, sum]) => ({ kernel, ...sum })).sort((a, b) => b.ms - a.ms);
  }

  /** Stands in for a pass: each dispatch becomes a pass of `encoder` with its timestamps. */
  #splitPass(encoder: GPUCommandEncoder): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | undefined;
    const groups = new Map<number, GPUBindGroup>();
    const pass: Pick<GPUComputePassEncoder, 'setPipeline' | 'setBindGroup' | 'dispatchWorkgroups' | 'end'> = {
      setPipeline: (next) => {
        pipeline = next;
      },
      setBindGroup: (index: number, group: GPUBindGroup | null | undefined) => {
        if (group) groups.set(index, group);
        else groups.delete(index);
      },
      dispatchWorkgroups: (x, y = 1, z = 1) => {
        if (!pipeline) throw new Error('A dispatch was recorded before its pipeline');
        const { label } = pipeline;
        const inner = encoder.beginComputePass({ label, timestampWrites: this.#timestamps(label) });
        inner.setPipeline(pipeline);
        for (const [index, group] of groups) inner.setBindGroup(index, group);
        inner.dispatchWorkgroups(x, y, z);
        inner.end();
      },
      end: () => {},
    };
    return pass as GPUComputePassEncoder;
  }

  #timestamps(label: string): GPUComputePassTimestampWrites {
    let run = this.#runs.at(-1);
    if (!run || run.labels.length === DISPATCHES_A_SET) {
      const count = 2 * DISPATCHES_A_SET;
      run = {
        querySet: this.#device.createQuerySet({ label: 'profile', type: 'timestamp', count }),
        labels: [],
      };
      this.#runs.push(run);
    }
    const index = run.labels.push(label) - 1;
    return {
      querySet: run.querySet,
      beginningOfPassWriteIndex: 2 * index,
      endOfPassWriteIndex: 2 * index + 1,
    };
  }

  /** Milliseconds of each dispatch of a query set, which is released. */
  async #resolve(querySet: GPUQuerySet, dispatches: number): Promise<number[]> {
    const device = this.#device;
    const size = dispatches * BYTES_A_DISPATCH;
    const resolved = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder({ label: 'profile' });
    encoder.resolveQuerySet(querySet, 0, 2 * dispatches, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    // A driver may set its clock back between two passes; the difference is then meaningless.
    const times = Array.from({ length: dispatches }, (_, i) =>
      Math.max(0, Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6),
    );
    for (const gone of [resolved, staging, querySet]) gone.destroy();
    return times;
  }
}

/** `target` with some of its methods replaced; the others run on the target itself, as WebGPU objects insist. */
function overlay<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(replaced, name)) return replaced[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
