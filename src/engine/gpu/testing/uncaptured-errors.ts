// Every GPU test file runs with this: an error of the device that no error scope was waiting for fails the test
// during which it came, whoever opened the device.

import { afterEach, expect } from 'vitest';
import { globals } from 'webgpu';

const errors: string[] = [];
const devices = new Set<GPUDevice>();

const adapters = (globals as { GPUAdapter: typeof GPUAdapter }).GPUAdapter.prototype;
const { requestDevice } = adapters;
adapters.requestDevice = async function (descriptor) {
  const device = await requestDevice.call(this, descriptor);
  device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  devices.add(device);
  void device.lost.then(() => devices.delete(device));
  return device;
};

/** The errors so far, which then fail no test: for tests that provoke them. */
export async function takeUncapturedErrors(): Promise<readonly string[]> {
  // Errors are told at the latest with the end of the work that made them.
  await Promise.all([...devices].map((device) => device.queue.onSubmittedWorkDone()));
  return errors.splice(0);
}

afterEach(async () => {
  expect(await takeUncapturedErrors(), 'errors of the GPU that nobody was waiting for').toEqual([]);
});
