// Opens the GPU: asks for what the engine can use, and says in words what is missing and what to do.

import { DeviceLostError, GpuError, OutOfMemoryError, UnsupportedDeviceError } from '../errors';

/** Optional features a kernel may have a faster version for. */
export interface DeviceFeatures {
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly timestamps: boolean;
}

/** An open device and the facts about it that plans and kernels depend on. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly features: DeviceFeatures;
  /** Vendor, architecture and description as the adapter gives them, for logs and reports. */
  readonly adapterName: string;
  /**
   * `tiled` kernels share reads through workgroup memory, as GPUs want it; `direct` ones use neither that nor
   * barriers: the plain versions, and on SwiftShader several times faster to run and to compile.
   */
  readonly kernels: 'tiled' | 'direct';
  /** Smallest and largest subgroup this device may run; 0 where subgroups are not offered. */
  readonly subgroupSizes: readonly [number, number];
  /**
   * Resolves once nothing computed from here on can be trusted: the device was lost other than by `destroy`, or
   * reported an error that no error scope was waiting for. GPU calls themselves do not throw.
   */
  readonly failure: Promise<DeviceLostError | GpuError | OutOfMemoryError>;
}

/** The way out where a browser will not do. */
const BROWSERS =
  'Use a current Chrome or Edge, Safari 26 or later, or Firefox 144 or later on Windows or macOS.';

export interface DeviceOptions {
  /** Keeps to the limits that every device has: 128 MiB a binding, 256 MiB a buffer. For trying what they allow. */
  readonly leastLimits?: boolean;
}

const WANTED: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];

/**
 * Requests adapter and device.
 * @param gpu the WebGPU entry point; `navigator.gpu` in a browser, Dawn's in Node.
 * @throws UnsupportedDeviceError when there is no WebGPU or no adapter.
 */
export async function openDevice(
  gpu: GPU | undefined,
  { leastLimits = false }: DeviceOptions = {},
): Promise<Gpu> {
  if (!gpu) {
    throw new UnsupportedDeviceError(`This browser has no WebGPU. ${BROWSERS}`);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new UnsupportedDeviceError(
      'WebGPU found no graphics adapter. Turn on hardware acceleration in the browser settings, update the graphics driver, or try another browser.',
    );
  }
  const requiredFeatures = WANTED.filter((feature) => adapter.features.has(feature));
  // Only size limits are raised: kernels keep to the defaults for bindings, workgroup size and workgroup storage.
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    label: 'ringside',
    requiredFeatures,
    requiredLimits: leastLimits ? {} : { maxBufferSize, maxStorageBufferBindingSize },
  });
  const info = adapter.info;
  const subgroups = device.features.has('subgroups');
  return {
    device,
    features: {
      f16: device.features.has('shader-f16'),
      subgroups,
      timestamps: device.features.has('timestamp-query'),
    },
    kernels: info.architecture === 'swiftshader' ? 'direct' : 'tiled',
    adapterName: [info.vendor, info.architecture, info.description].filter(Boolean).join(' · '),
    subgroupSizes: subgroups ? [info.subgroupMinSize, info.subgroupMaxSize] : [0, 0],
    failure: firstFailure(device),
  };
}

function firstFailure(device: GPUDevice): Gpu['failure'] {
  return new Promise((resolve) => {
    device.addEventListener('uncapturederror', ({ error }) => {
      // Browsers log it too, but some only the first few.
      console.error(`WebGPU: ${error.message}`);
      resolve(uncaptured(error));
    });
    void device.lost.then(({ reason, message }) => {
      if (reason === 'destroyed') return;
      resolve(
        new DeviceLostError(
          `The graphics device was lost (${message || 'no reason given'}), and what was seen with it. Load the model again.`,
        ),
      );
    });
  });
}

function uncaptured(error: GPUError): GpuError | OutOfMemoryError {
  return error instanceof GPUOutOfMemoryError
    ? new OutOfMemoryError(
        `The GPU ran out of memory while working. Load the model with a smaller memory, or close other tabs that use the GPU. (${error.message})`,
      )
    : new GpuError(
        `The GPU refused a step, so that memory and answers can no longer be trusted. Load the model again; if it comes back, update the browser or the graphics driver. (${error.message})`,
      );
}

/** @throws UnsupportedDeviceError when video frames cannot be bound as textures on this device. */
export function checkVideoFrames({ device }: Gpu): void {
  if ('importExternalTexture' in device) return;
  throw new UnsupportedDeviceError(
    `This browser's WebGPU cannot read video frames (importExternalTexture is missing). ${BROWSERS}`,
  );
}

/**
 * Runs `create` and turns an out-of-memory answer of the device into a typed error.
 * @param what names the things created, for the message.
 */
export async function guardMemory<T>(device: GPUDevice, what: string, create: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  const made = create();
  const failure = await device.popErrorScope();
  if (failure) {
    throw new OutOfMemoryError(
      `The GPU has no room for ${what}. Choose a smaller memory budget, or close other tabs that use the GPU. (${failure.message})`,
    );
  }
  return made;
}
