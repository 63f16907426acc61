// Pruning on the GPU against the oracle: many prunes in a row, over shapes and policies, with dialogue coming
// and going between them.

import { describe, expect, it } from 'vitest';
import type { PolicyName } from '../contract';
import { testGpu } from '../gpu/testing/harness';
import { pruneTarget } from './budget';
import { PRUNING_POLICIES } from './policies';
import type { RingShape } from './ring-shape';
import { MirroredRing } from './testing/mirrored-ring';
import { randomWords } from './testing/random-rows';

const SHAPES: readonly (RingShape & { visualCapacity: number })[] = [
  // Two frames: the least that can stream.
  {
    layers: 1,
    kvHeads: 1,
    headDim: 32,
    capacity: 64,
    tokensPerFrame: 16,
    gridColumns: 4,
    kvFormat: 'f16',
    visualCapacity: 32,
  },
  {
    layers: 2,
    kvHeads: 1,
    headDim: 32,
    capacity: 128,
    tokensPerFrame: 6,
    gridColumns: 3,
    kvFormat: 'f16',
    visualCapacity: 61,
  },
  {
    layers: 3,
    kvHeads: 2,
    headDim: 80,
    capacity: 192,
    tokensPerFrame: 16,
    gridColumns: 4,
    kvFormat: 'f16',
    visualCapacity: 160,
  },
  {
    layers: 1,
    kvHeads: 2,
    headDim: 128,
    capacity: 320,
    tokensPerFrame: 6,
    gridColumns: 3,
    kvFormat: 'f16',
    visualCapacity: 288,
  },
  {
    layers: 2,
    kvHeads: 2,
    headDim: 80,
    capacity: 128,
    tokensPerFrame: 6,
    gridColumns: 3,
    kvFormat: 'f32',
    visualCapacity: 96,
  },
];
const PRUNES = 21;

describe('prune', () => {
  for (const [i, { visualCapacity, ...shape }] of SHAPES.entries()) {
    const { layers, kvHeads, headDim, tokensPerFrame, kvFormat } = shape;
    for (const policy of PRUNING_POLICIES) {
      const name = `${layers}x${kvHeads} heads of ${headDim} ${kvFormat}, ${visualCapacity} tokens, ${tokensPerFrame} a frame`;
      it(`keeps what the oracle keeps, ${PRUNES} times: ${policy}, ${name}`, async () => {
        const mirrored = await MirroredRing.create(await testGpu(), shape, visualCapacity, 17 + i);
        const { ring } = mirrored;
        const random = randomWords(99 + i);
        mirrored.configure({ policy, seed: 7 * i });
        mirrored.put('pinned', 5);
        while (ring.prunes < PRUNES) {
          await mirrored.makeRoom();
          mirrored.put('visual');
          expect(ring.counts.visual).toBeLessThanOrEqual(ring.budget);
          const chance = random() % 8;
          if (chance === 0) {
            // A frame that failed on its way: the next one takes its place.
            mirrored.rollback(tokensPerFrame);
            await mirrored.makeRoom();
            mirrored.put('visual');
          } else if (chance < 4) {
            const turn = 1 + (random() % 9);
            if (ring.textRoom < turn) await mirrored.dropDialogue(5, ring.nextSeq - 2 * tokensPerFrame);
            if (ring.textRoom >= turn) mirrored.put('dialogue', turn);
            if (chance === 1 && ring.textRoom >= turn) mirrored.rollback(1 + (random() % turn));
          }
        }
        expect(ring.counts.pinned).toBe(5);
        await mirrored.check();
        await mirrored.checkRows();
        mirrored.dispose();
      });
    }
  }

  // Four layers and more have every window; of six, the last two have none. Frames of 5 × 7 and 7 × 8 patches.
  for (const [layers, frames, rows, columns, headDim] of [
    [4, 5, 5, 7, 4],
    [6, 9, 3, 4, 8],
    [4, 8, 7, 8, 4],
    [1, 40, 1, 1, 4],
  ] as const) {
    for (const policy of ['van', 'infinipot-v'] as const) {
      it(`pools norms as the oracle does, ${PRUNES} times: ${policy}, ${layers} layers, ${frames} frames of ${rows}×${columns}`, async () => {
        const tokensPerFrame = rows * columns;
        const visualCapacity = frames * tokensPerFrame;
        const capacity = Math.ceil((visualCapacity + 9) / 64) * 64;
        const shape = { layers, kvHeads: 1, headDim, capacity, tokensPerFrame, gridColumns: columns };
        const mirrored = await MirroredRing.create(
          await testGpu(),
          { ...shape, kvFormat: 'f16' },
          visualCapacity,
          frames,
        );
        mirrored.configure({ policy, pooling: true });
        while (mirrored.ring.prunes < PRUNES) {
          if (await mirrored.makeRoom()) mirrored.put('dialogue', 3);
          mirrored.put('visual');
          if (mirrored.ring.textRoom < 3) await mirrored.dropDialogue(0, mirrored.ring.nextSeq);
        }
        mirrored.dispose();
      });
    }
  }

  it('follows changes of policy and budget', async () => {
    const shape: RingShape = {
      layers: 2,
      kvHeads: 2,
      headDim: 32,
      capacity: 192,
      tokensPerFrame: 6,
      gridColumns: 3,
      kvFormat: 'f16',
    };
    const mirrored = await MirroredRing.create(await testGpu(), shape, 144, 5);
    const { ring } = mirrored;
    const plan: readonly [PolicyName, number][] = [
      ['full', 144],
      ['infinipot-v', 144],
      ['infinipot-v', 24],
      ['sliding-window', 60],
      ['infinipot-v', 12],
      ['infinipot-v', 100],
      ['infinipot-v', 18],
      ['sliding-window', 13],
      ['uniform', 90],
      ['tar', 80],
      ['uniform', 70],
      ['uniform', 130],
      ['random', 50],
      ['van', 140],
      ['uniform', 144],
    ];
    for (const [policy, tokens] of plan) {
      ring.configure({ policy, budget: { tokens } });
      for (let frame = 0; frame < (policy === 'full' ? 24 : 20); frame++) {
        await mirrored.makeRoom();
        expect(ring.counts.visual).toBeLessThanOrEqual(tokens - shape.tokensPerFrame);
        mirrored.put('visual');
      }
    }
    await mirrored.reset();
    expect(ring.nextSeq).toBe(0);
    for (let frame = 0; frame < 3; frame++) {
      await mirrored.makeRoom();
      mirrored.put('visual');
    }
    mirrored.dispose();
  });

  it.each([
    ['infinipot-v', false],
    ['infinipot-v', true],
    ['uniform', false],
    ['random', false],
  ] as const)('chooses exactly among 8,192 candidates of a head: %s, pooling %s', async (policy, pooling) => {
    const shape: RingShape = {
      layers: 1,
      kvHeads: 2,
      headDim: 4,
      capacity: 11008,
      tokensPerFrame: 64,
      gridColumns: 8,
      kvFormat: 'f16',
    };
    const mirrored = await MirroredRing.create(await testGpu(), shape, 10944, 3);
    mirrored.configure({ policy, pooling });
    for (let frame = 0; frame < 171; frame++) mirrored.put('visual');
    expect(Math.floor(171 * 0.75) * 64).toBe(8192);
    // 171 frames, of which 42 are recent: 8,256 candidates.
    expect(await mirrored.makeRoom()).toBe(true);
    expect(mirrored.ring.counts.visual).toBe(pruneTarget(10944, 64));
    mirrored.dispose();
  });

  it('watches 2,000 frames in 16 frames of memory, creating nothing', async () => {
    const shape: RingShape = {
      layers: 1,
      kvHeads: 2,
      headDim: 32,
      capacity: 128,
      tokensPerFrame: 6,
      gridColumns: 3,
      kvFormat: 'f16',
    };
    const gpu = await testGpu();
    const mirrored = await MirroredRing.create(gpu, shape, 96, 8);
    const { ring } = mirrored;
    let created = 0;
    const { createBuffer } = gpu.device;
    gpu.device.createBuffer = (descriptor) => {
      created++;
      return createBuffer.call(gpu.device, descriptor);
    };
    let most = 0;
    for (let frame = 0; frame < 2000; frame++) {
      await mirrored.makeRoom();
      mirrored.put('visual');
      most = Math.max(most, ring.counts.visual);
    }
    gpu.device.createBuffer = createBuffer;
    expect(created).toBe(0);
    expect(most).toBe(96);
    // 16 frames are held; a prune leaves 12, so there is one every 4 frames.
    expect(ring.prunes).toBe((2000 - 16) / 4);
    await mirrored.checkRows();
    mirrored.dispose();
  });
});
