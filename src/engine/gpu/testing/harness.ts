// What kernel tests share: one device a test file, uploads, and reading back (which the engine itself
// never does). Only tests import this.

import { afterAll } from 'vitest';
import { type Gpu, openDevice } from '../device';
import type { KernelSpec } from '../kernel';
import { openNodeGpu } from '../node-gpu';
import { type Binding, type Grid, ProgramBuilder, submit } from '../program';

export { randomFloats } from './random-floats';

let opened: Promise<Gpu> | undefined;

/** The device of this test file; prints once which adapter runs. */
export function testGpu(): Promise<Gpu> {
  opened ??= openNodeGpu()
    .then(openDevice)
    .then((gpu) => {
      const { f16, subgroups } = gpu.features;
      console.log(
        `adapter: ${gpu.adapterName} · f16 ${f16 ? 'yes' : 'skipped: no shader-f16'} · subgroups ${
          subgroups ? gpu.subgroupSizes.join('–') : 'skipped: none'
        }`,
      );
      return gpu;
    });
  return opened;
}

/** How many random sequences a test runs: an eighth of `all` where plain kernels take many times as long. */
export async function sequences(all: number): Promise<number> {
  return (await testGpu()).kernels === 'direct' ? Math.ceil(all / 8) : all;
}

afterAll(async () => {
  (await opened)?.device.destroy();
});

/** A storage buffer holding `data`. */
export function upload(device: GPUDevice, data: Float32Array | Uint32Array | Int32Array): GPUBuffer {
  const buffer = emptyBuffer(device, data.length);
  device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
  return buffer;
}

/** A zeroed storage buffer of `words` 32-bit values. */
export function emptyBuffer(device: GPUDevice, words: number): GPUBuffer {
  return device.createBuffer({
    size: Math.max(4, words * 4),
    usage:
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM,
  });
}

/** Copies a buffer, or its first `words` values, back to the CPU. */
export async function download(
  device: GPUDevice,
  buffer: GPUBuffer,
  words = buffer.size / 4,
): Promise<Uint32Array> {
  const staging = device.createBuffer({
    size: words * 4,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, words * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const copy = new Uint32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return copy;
}

/** The same, read as floats. */
export async function downloadFloats(
  device: GPUDevice,
  buffer: GPUBuffer,
  words?: number,
): Promise<Float32Array> {
  return new Float32Array((await download(device, buffer, words)).buffer);
}

/** Compiles and runs a single kernel. */
export async function runKernel(
  device: GPUDevice,
  spec: KernelSpec,
  bindings: Readonly<Record<string, Binding>>,
  grid: Grid,
): Promise<void> {
  const program = await new ProgramBuilder().add(spec, bindings, grid).build(device, spec.module);
  submit(device, spec.module, (pass) => program.record(pass));
}

/** Largest absolute difference. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}
