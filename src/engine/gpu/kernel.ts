// A kernel is plain data: module, conditions and constants. This file turns that data into compute
// pipelines, each compiled once a device and shared by whoever describes the same kernel.

import { ShaderError } from '../errors';
import { bindingIndices, linkShader } from './shader-library';

/** Describes a compute pipeline; equal descriptions share one. */
export interface KernelSpec {
  /** File under shaders/, without ending. Its entry point is `main`. */
  readonly module: string;
  /** Values of the module's `@if` conditions; those not named are false. */
  readonly conditions?: Readonly<Record<string, boolean>>;
  /** Values of the module's `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** A compiled kernel, and where each of its named bindings goes. */
export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindings: ReadonlyMap<string, number>;
}

const caches = new WeakMap<GPUDevice, Map<string, Promise<Kernel>>>();

/**
 * Compiles a kernel, or returns the one already compiled or compiling for this device.
 * @throws ShaderError with the shader's own lines when it does not compile.
 */
export function compileKernel(device: GPUDevice, spec: KernelSpec): Promise<Kernel> {
  let cache = caches.get(device);
  if (!cache) {
    cache = new Map();
    caches.set(device, cache);
  }
  const label = kernelLabel(spec);
  let kernel = cache.get(label);
  if (!kernel) {
    kernel = compile(device, spec, label);
    cache.set(label, kernel);
  }
  return kernel;
}

/** Readable and unique name of a kernel, e.g. `matmul[q8_0,bias]{cols:192}`. */
function kernelLabel({ module, conditions = {}, constants = {} }: KernelSpec): string {
  const on = Object.keys(conditions).filter((name) => conditions[name]);
  const values = Object.entries(constants).map(([name, value]) => `${name}:${value}`);
  return `${module}[${on.sort().join(',')}]{${values.sort().join(',')}}`;
}

async function compile(device: GPUDevice, spec: KernelSpec, label: string): Promise<Kernel> {
  const code = await linkShader(spec.module, spec.conditions ?? {});
  // What is wrong with the code is told below, by the pipeline made of it.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label, code });
  // Rejected where the GPU goes away meanwhile, which the pipeline tells as well.
  device.popErrorScope().catch(() => {});
  try {
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: 'auto',
      compute: { module, entryPoint: 'main', constants: { ...spec.constants } },
    });
    return { label, pipeline, bindings: bindingIndices(code) };
  } catch (error) {
    const info = await module.getCompilationInfo();
    const lines = code.split('\n');
    const messages = info.messages
      .filter((message) => message.type === 'error')
      .map(
        (message) => `  line ${message.lineNum}: ${message.message}\n    ${lines[message.lineNum - 1] ?? ''}`,
      );
    throw new ShaderError(`The kernel ${label} did not compile:\n${messages.join('\n') || String(error)}`, {
      cause: error,
    });
  }
}
