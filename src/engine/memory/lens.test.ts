// What the lens counts on the GPU against the slots as they were read back, over prunes of every policy.

import { expect, it } from 'vitest';
import { TEXT } from '../gpu/step';
import { testGpu } from '../gpu/testing/harness';
import { MOST_MOMENTS, Moments, type SeenFrame } from './moments';
import { PRUNING_POLICIES } from './policies';
import type { RingShape } from './ring-shape';
import { MirroredRing } from './testing/mirrored-ring';
import type { Held } from './testing/ring-mirror';

const PINNED = 3;
const FRAMES = 72;

// More (layer, head) than one, frames that are no multiple of anything, and fewer and more slots than a workgroup takes.
const SHAPES: readonly (RingShape & { visualCapacity: number })[] = [
  {
    layers: 3,
    kvHeads: 2,
    headDim: 8,
    capacity: 128,
    tokensPerFrame: 15,
    gridColumns: 5,
    kvFormat: 'f16',
    visualCapacity: 107,
  },
  {
    layers: 2,
    kvHeads: 3,
    headDim: 12,
    capacity: 64,
    tokensPerFrame: 2,
    gridColumns: 1,
    kvFormat: 'f32',
    visualCapacity: 40,
  },
];

/** The same, counted one by one. */
function counted(seen: readonly SeenFrame[], heads: readonly Held[][], tokensPerFrame: number) {
  const tokens = heads.flat().filter(({ frame }) => frame !== TEXT);
  return seen.map((moment, i) => {
    const next = seen[i + 1]?.frame ?? Number.POSITIVE_INFINITY;
    const held = Array.from(
      { length: tokensPerFrame },
      (_, patch) => tokens.filter((token) => token.frame === moment.frame && token.patch === patch).length,
    );
    const between = tokens.filter(({ frame }) => frame > moment.frame && frame < next);
    return { ...moment, held: Uint32Array.from(held), heldBetween: between.length };
  });
}

for (const [i, { visualCapacity, ...shape }] of SHAPES.entries()) {
  const { layers, kvHeads, tokensPerFrame, gridColumns, kvFormat } = shape;
  const heads = layers * kvHeads;
  for (const policy of PRUNING_POLICIES) {
    it(`counts what each head holds: ${policy}, ${heads} heads of ${kvFormat}, ${tokensPerFrame} tokens a frame`, async () => {
      const mirrored = await MirroredRing.create(await testGpu(), shape, visualCapacity, 31 + i);
      const { ring } = mirrored;
      mirrored.eager = false;
      mirrored.configure({ policy, seed: i });
      const moments = new Moments();
      const check = async (seen: readonly SeenFrame[]) => {
        const { lens, held } = await mirrored.look(seen);
        expect(lens).toEqual({
          heads,
          rows: tokensPerFrame / gridColumns,
          columns: gridColumns,
          moments: counted(seen, held, tokensPerFrame),
        });
        return lens.moments;
      };
      expect(await check(moments.seen)).toEqual([]);
      mirrored.put('pinned', PINNED);
      for (let frame = 0; frame < FRAMES; frame++) {
        await mirrored.makeRoom();
        mirrored.put('visual');
        moments.add({ frame, timestampMs: frame * 500 });
        if (frame % 9 !== 8) continue;
        // A question between, and an answer that was taken back.
        if (ring.textRoom < 7) await mirrored.dropDialogue(PINNED, ring.nextSeq);
        mirrored.put('dialogue', 7);
        mirrored.rollback(4);
        const all = await check(moments.seen);
        const held = all.reduce(
          (sum, moment) => moment.held.reduce((a, b) => a + b, sum + moment.heldBetween),
          0,
        );
        expect(held, 'all that is held').toBe(ring.counts.visual * heads);
        const newest = all.at(-1)!;
        expect([...newest.held], 'of what was just seen').toEqual(Array(tokensPerFrame).fill(heads));
        await check(moments.seen.slice(5, 7));
      }
      expect(ring.prunes).toBeGreaterThan(8);
      expect(moments.seen).toHaveLength(MOST_MOMENTS);
      // A frame that failed on its way is not held.
      await mirrored.makeRoom();
      mirrored.put('visual');
      mirrored.rollback(tokensPerFrame);
      const taken = await check([{ frame: FRAMES, timestampMs: 0 }]);
      expect([...taken[0]!.held]).toEqual(Array(tokensPerFrame).fill(0));
      mirrored.dispose();
    });
  }
}
