// A program under the profiler computes what it always does, and every dispatch is timed under its kernel's name.

import { expect, it } from 'vitest';
import { Profiler } from './profile';
import { ProgramBuilder, submit } from './program';
import { downloadFloats, emptyBuffer, randomFloats, testGpu, upload } from './testing/harness';

const WIDTH = 64;

it('times dispatches by kernel and changes no result', async ({ skip }) => {
  const plain = await testGpu();
  skip(!plain.features.timestamps, 'skipped: no timestamp-query');
  const profiler = new Profiler(plain);
  const { device } = profiler.gpu;
  const step = upload(device, Uint32Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const x = upload(device, randomFloats(2 * 2 * WIDTH, 1));
  const [first, second] = [emptyBuffer(device, 2 * WIDTH), emptyBuffer(device, 2 * WIDTH)];
  const program = (y: GPUBuffer) =>
    new ProgramBuilder()
      .add({ module: 'swiglu', constants: { width: WIDTH } }, { step, gate_up: x, y }, [1, 2])
      .build(device, 'test');
  const [unprofiled, profiled] = [await program(first), await program(second)];

  submit(device, 'test', (pass) => unprofiled.record(pass));
  const times = await profiler.record(async () => {
    for (let i = 0; i < 3; i++) submit(device, 'test', (pass) => profiled.record(pass));
    await device.queue.onSubmittedWorkDone();
  });
  expect(times).toEqual([{ kernel: 'swiglu[]{width:64}', dispatches: 3, ms: expect.any(Number) }]);
  expect(times[0]!.ms).toBeGreaterThanOrEqual(0);
  expect(await downloadFloats(plain.device, second)).toEqual(await downloadFloats(plain.device, first));
  expect(await profiler.record(async () => {})).toEqual([]);
});
