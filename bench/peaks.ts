// What a device can do at best, measured in the same run as the kernels that are compared with it: copying
// memory, and multiplying and adding in registers.

import copySource from './copy.wgsl?raw';
import { fastest, timed } from './measure';
import multiplyAddSource from './multiply_add.wgsl?raw';

export interface Peaks {
  /** Bytes read and bytes written together, in 10⁹ a second: copied by a kernel, and by the device itself. */
  readonly kernelCopyGigabytes: number;
  readonly bufferCopyGigabytes: number;
  /** Multiplications and additions in f32, in 10⁹ a second. */
  readonly gigaflops: number;
}

/** Together larger than the caches of nearly every device, and quick enough on the slowest. */
const COPY_BYTES = 64 * 2 ** 20;

const ROUNDS = 256;
/** 4 chains × vec4 × (multiply, add). */
const FLOPS_A_ROUND = 32;
const GROUP = 64;

export async function measurePeaks(device: GPUDevice): Promise<Peaks> {
  return { ...(await copyRates(device)), gigaflops: await multiplyAddRate(device) };
}

async function copyRates(device: GPUDevice): Promise<Omit<Peaks, 'gigaflops'>> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: COPY_BYTES, usage })) as [
    GPUBuffer,
    GPUBuffer,
  ];
  const run = await prepare(device, copySource, [from, to], {});
  const kernelMs = await fastest(device, (repetitions) => run(2048, repetitions));
  const bufferMs = await fastest(device, (repetitions) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < repetitions; i++) encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES);
    device.queue.submit([encoder.finish()]);
  });
  from.destroy();
  to.destroy();
  const gigabytes = (ms: number) => (2 * COPY_BYTES) / ms / 1e6;
  return { kernelCopyGigabytes: gigabytes(kernelMs), bufferCopyGigabytes: gigabytes(bufferMs) };
}

async function multiplyAddRate(device: GPUDevice): Promise<number> {
  const buffer = device.createBuffer({ size: 2 ** 20, usage: GPUBufferUsage.STORAGE });
  const run = await prepare(device, multiplyAddSource, [buffer], { rounds: ROUNDS });
  run(64, 1);
  // Enough workgroups to fill the device, but no long dispatch on a slow one.
  let groups = 64;
  while (groups < 32768 && (await timed(device, () => run(groups, 1))).ms < 20) groups *= 2;
  const ms = await fastest(device, (repetitions) => run(groups, repetitions));
  buffer.destroy();
  return (groups * GROUP * ROUNDS * FLOPS_A_ROUND) / ms / 1e6;
}

/** Compiles a shader whose bindings are `buffers`; what is returned submits it. */
async function prepare(
  device: GPUDevice,
  code: string,
  buffers: readonly GPUBuffer[],
  constants: Record<string, number>,
): Promise<(groups: number, repetitions: number) => void> {
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main', constants },
  });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return (groups, repetitions) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < repetitions; i++) pass.dispatchWorkgroups(groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
