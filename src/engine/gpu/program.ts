// A program is a flat list of prepared dispatches that run, in order, in one compute pass. It is built
// once at load; running it creates nothing on the GPU.

import { compileKernel, type Kernel, type KernelSpec } from './kernel';

/** Workgroup counts; a missing dimension is 1. */
export type Grid = readonly [x: number, y?: number, z?: number];

/** A buffer, or a range of one, bound under the name the shader gives it. */
export type Binding = GPUBuffer | GPUBufferBinding;

interface Stage<S> {
  readonly spec: KernelSpec;
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly grid: Grid | ((shape: S) => Grid);
}

interface Dispatch<S> {
  readonly kernel: Kernel;
  readonly bindGroup: GPUBindGroup;
  readonly grid: Grid | ((shape: S) => Grid);
}

/** Collects dispatches and compiles their kernels all in parallel. `S` is what the grids depend on at run time. */
export class ProgramBuilder<S = void> {
  readonly #stages: Stage<S>[] = [];

  /**
   * Appends a dispatch.
   * @param grid workgroup counts, or a function of the run's shape; a count of 0 skips the dispatch.
   */
  add(spec: KernelSpec, bindings: Readonly<Record<string, Binding>>, grid: Stage<S>['grid']): this {
    this.#stages.push({ spec, bindings, grid });
    return this;
  }

  /** The dispatches whose kernels `wanted` accepts, for benchmarks of a part. */
  select(wanted: (spec: KernelSpec) => boolean): ProgramBuilder<S> {
    const part = new ProgramBuilder<S>();
    for (const { spec, bindings, grid } of this.#stages) if (wanted(spec)) part.add(spec, bindings, grid);
    return part;
  }

  /** @throws ShaderError when a kernel does not compile. */
  async build(device: GPUDevice, label: string): Promise<Program<S>> {
    const dispatches = await Promise.all(
      this.#stages.map(async ({ spec, bindings, grid }) => {
        const kernel = await compileKernel(device, spec);
        return { kernel, grid, bindGroup: bind(device, kernel, bindings) };
      }),
    );
    return new Program(label, dispatches);
  }
}

/** Prepared dispatches; see {@link ProgramBuilder}. */
export class Program<S = void> {
  readonly label: string;
  readonly #dispatches: readonly Dispatch<S>[];

  constructor(label: string, dispatches: readonly Dispatch<S>[]) {
    this.label = label;
    this.#dispatches = dispatches;
  }

  /** Records every dispatch into `pass`. */
  record(pass: GPUComputePassEncoder, shape: S): void {
    for (const { kernel, bindGroup, grid } of this.#dispatches) {
      const [x, y = 1, z = 1] = typeof grid === 'function' ? grid(shape) : grid;
      if (x * y * z === 0) continue;
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
    }
  }
}

/** Binds by name, so that a missing or superfluous binding is named in the error. */
export function bind(
  device: GPUDevice,
  kernel: Kernel,
  bindings: Readonly<Record<string, Binding | GPUExternalTexture>>,
): GPUBindGroup {
  const entries = Object.entries(bindings).map(([name, resource]) => {
    const binding = kernel.bindings.get(name);
    if (binding === undefined) throw new Error(`${kernel.label} has no binding '${name}'`);
    return { binding, resource: isBuffer(resource) ? { buffer: resource } : resource };
  });
  if (entries.length !== kernel.bindings.size) {
    const missing = [...kernel.bindings.keys()].filter((name) => !(name in bindings));
    throw new Error(`${kernel.label} lacks the bindings ${missing.join(', ')}`);
  }
  return device.createBindGroup({
    label: kernel.label,
    layout: kernel.pipeline.getBindGroupLayout(0),
    entries,
  });
}

function isBuffer(resource: Binding | GPUExternalTexture): resource is GPUBuffer {
  return 'mapAsync' in resource;
}

/** Runs programs in one compute pass and submits. */
export function submit(
  device: GPUDevice,
  label: string,
  record: (pass: GPUComputePassEncoder) => void,
): void {
  const encoder = device.createCommandEncoder({ label });
  const pass = encoder.beginComputePass({ label });
  record(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}
