// Compiling on a GPU that goes away meanwhile.

import { expect, it } from 'vitest';
import { openDevice } from './device';
import { compileKernel } from './kernel';
import { openNodeGpu } from './node-gpu';

it('an error scope that cannot be closed any more leaves no rejection that nobody hears of', async () => {
  const unheard: unknown[] = [];
  const hear = (reason: unknown) => unheard.push(reason);
  process.on('unhandledRejection', hear);
  const { device } = await openDevice(await openNodeGpu());
  try {
    // As Chrome does when its GPU process has gone.
    device.popErrorScope = async () => {
      throw new DOMException('Instance dropped in popErrorScope', 'OperationError');
    };
    await compileKernel(device, { module: 'swiglu', constants: { width: 64 } });
    await new Promise((resolve) => setTimeout(resolve));
    expect(unheard).toEqual([]);
  } finally {
    process.off('unhandledRejection', hear);
    device.destroy();
  }
});
