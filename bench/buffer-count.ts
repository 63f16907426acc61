// Counts the GPU buffers that anybody creates, the engine's ledger or not.

/** What was created so far. */
export interface BufferCount {
  readonly buffers: number;
  readonly bytes: number;
}

/**
 * Counts the buffers of every device that `gpu` gives out from now on.
 * @returns reads the count.
 */
export function countBuffers(gpu: GPU): () => BufferCount {
  let count: BufferCount = { buffers: 0, bytes: 0 };
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    if (adapter) {
      const requestDevice = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        const device = await requestDevice(descriptor);
        const createBuffer = device.createBuffer.bind(device);
        device.createBuffer = (buffer) => {
          count = { buffers: count.buffers + 1, bytes: count.bytes + buffer.size };
          return createBuffer(buffer);
        };
        return device;
      };
    }
    return adapter;
  };
  return () => count;
}
