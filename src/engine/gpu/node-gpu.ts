// WebGPU in Node, on Dawn: for tests, benchmarks and the command line. Never imported by the page.

import { existsSync } from 'node:fs';
import { create, globals } from 'webgpu';
import { UnsupportedDeviceError } from '../errors';

/** Vulkan driver manifests of the software adapters, by the name given in RINGSIDE_GPU. */
const SOFTWARE_DRIVERS: Readonly<Record<string, readonly string[]>> = {
  swiftshader: ['/usr/lib/chromium/vk_swiftshader_icd.json'],
  lavapipe: [
    '/usr/share/vulkan/icd.d/lvp_icd.json',
    '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
    '/usr/share/vulkan/icd.d/lvp_icd.aarch64.json',
  ],
};

// Dawn's instance must outlive every object made from it, which the garbage collector does not know.
const instances: GPU[] = [];

/**
 * Dawn's WebGPU entry point. RINGSIDE_GPU chooses the driver: `swiftshader`, `lavapipe`, `native` (whatever
 * the machine has), or unset: native if it finds an adapter, else the first software driver installed.
 * @param flags for Dawn, such as `disable-dawn-features=timestamp_quantization`.
 * @throws UnsupportedDeviceError when the driver asked for is not installed.
 */
export async function openNodeGpu(flags: readonly string[] = []): Promise<GPU> {
  Object.assign(globalThis, globals);
  const wanted = process.env.RINGSIDE_GPU ?? '';
  if (wanted === '' || wanted === 'native') {
    const native = open(flags);
    if (wanted === 'native' || (await native.requestAdapter())) return native;
  }
  const known = Object.keys(SOFTWARE_DRIVERS);
  const names = wanted === '' ? known : [wanted];
  if (!names.every((name) => known.includes(name))) {
    throw new UnsupportedDeviceError(
      `RINGSIDE_GPU is '${wanted}'. Choose native, ${known.join(' or ')}, or leave it out.`,
    );
  }
  const driver = names.flatMap((name) => SOFTWARE_DRIVERS[name]!).find((path) => existsSync(path));
  if (!driver) {
    throw new UnsupportedDeviceError(
      `There is no Vulkan driver here for WebGPU by ${names.join(' or ')}. Install the Debian package chromium (swiftshader) or mesa-vulkan-drivers 25 or later (lavapipe).`,
    );
  }
  askSeldom();
  process.env.VK_DRIVER_FILES = driver;
  process.env.VK_ICD_FILENAMES = driver;
  return open(flags);
}

function open(flags: readonly string[]): GPU {
  const gpu = create([...flags]);
  instances.push(gpu);
  return gpu;
}

/**
 * While anything is awaited of it, Dawn asks for finished work in every turn of the event loop, by `setImmediate`. That
 * keeps a core busy, which a software adapter had better compute with. So what it schedules, known as a function of
 * native code, comes up once a millisecond. So do the few other native functions that anybody schedules, such as what
 * resolves a promise.
 */
function askSeldom(): void {
  const { setImmediate, setTimeout } = globalThis;
  if (setImmediate.name === askSeldom.name) return;
  const seldom = (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
    /\{ \[native code\] \}$/.test(String(callback))
      ? setTimeout(callback, 1, ...args)
      : setImmediate(callback, ...args);
  globalThis.setImmediate = Object.defineProperty(Object.assign(seldom, setImmediate), 'name', {
    value: askSeldom.name,
  }) as unknown as typeof setImmediate;
}
