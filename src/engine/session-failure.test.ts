// An error that the GPU reports while running ends the session, and everybody is told why.

import { expect, it, vi } from 'vitest';
import type { Session } from './contract';
import { type EngineError, GpuError } from './errors';
import { openNodeGpu } from './gpu/node-gpu';
import { takeUncapturedErrors } from './gpu/testing/uncaptured-errors';
import { createSession } from './session';
import { fixtureFiles } from './testing/fixtures';

const FRAME = { width: 84, height: 56 };
const frame = { ...FRAME, data: new Uint8Array(FRAME.width * FRAME.height * 3).fill(90) };

async function ask(session: Session): Promise<string> {
  let text = '';
  for await (const piece of session.ask('What is it?', { sampling: { maxTokens: 64 } })) text += piece;
  return text;
}

it('a step that the GPU refuses fails what waits, what comes later, and calls onFailed', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  const failures: EngineError[] = [];
  const session = await createSession({
    gpu: await openNodeGpu(),
    ...(await fixtureFiles('wllama')),
    frame: FRAME,
    maxRgbPixels: FRAME.width * FRAME.height,
    onFailed: (error) => failures.push(error),
  });
  await session.watch(frame, 0);
  await session.watch(frame, 500);

  // The smallest invalid step there is, in the middle of the next ones.
  const createCommandEncoder = GPUDevice.prototype.createCommandEncoder;
  GPUDevice.prototype.createCommandEncoder = function (descriptor) {
    this.createBuffer({ label: 'without a use', size: 16, usage: 0 });
    return createCommandEncoder.call(this, descriptor);
  };
  try {
    await expect(ask(session)).rejects.toThrow(GpuError);
  } finally {
    GPUDevice.prototype.createCommandEncoder = createCommandEncoder;
  }
  await expect(session.watch(frame, 1000)).rejects.toThrow(/The GPU refused a step.*without a use/s);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toBeInstanceOf(GpuError);
  expect(logged).toHaveBeenCalledWith(expect.stringContaining('without a use'));
  expect(await takeUncapturedErrors()).not.toEqual([]);
  session.dispose();
});
