// TaR on keys whose rotation is undone, against the oracle on keys turned back in double precision: over many prunes
// of a stream with talk in between, rebased or not.

import { expect, it } from 'vitest';
import { frameShape } from '../decoder/rotary';
import { pruneTarget } from './budget';
import { side } from './positions';
import type { RingShape } from './ring-shape';
import { keptTokens } from './testing/oracle';
import { randomWords } from './testing/random-rows';
import { TrackedStream } from './testing/tracked-stream';
import { TurnedRing } from './testing/turned-ring';

const PRUNES = 24;

const SHAPE: RingShape = {
  layers: 2,
  kvHeads: 2,
  headDim: 40,
  capacity: 320,
  tokensPerFrame: 6,
  gridColumns: 3,
  kvFormat: 'f32',
};

for (const [policy, positions, kvFormat, range, pooling, mrope = true] of [
  ['tar', 'rebased', 'f32', 160, false],
  ['tar', 'rebased', 'f16', 160, false],
  // How far keys are turned and where tokens stand for pooling share a buffer.
  ['infinipot-v', 'rebased', 'f32', 160, true],
  ['infinipot-v', 'rebased', 'f16', 160, false],
  // More videos than one pass tells of.
  ['tar', 'absolute', 'f32', 10_000, false],
  ['tar', 'rebased', 'f32', 300, false, false],
] as const) {
  const name = `${policy}${pooling ? ' with pooling' : ''}${mrope ? '' : ', positions of one axis'}`;
  it(`${name} keeps what the oracle keeps, ${PRUNES} times: ${positions}, keys in ${kvFormat}`, async () => {
    const stream = new TrackedStream(range, frameShape({ mrope }, 2, 3));
    stream.positions.policy = positions;
    const ring = await TurnedRing.create({ ...SHAPE, kvFormat }, 120, stream);
    const random = randomWords(23);
    const turns: [first: number, end: number][] = [];
    let moved = 0;
    try {
      ring.ring.configure({ policy, pooling, tarKeys: 'unrotated' });
      ring.text(5, 'pinned');
      while (ring.ring.prunes < PRUNES) {
        const { counts, budget } = ring.ring;
        if (counts.visual + SHAPE.tokensPerFrame > budget) moved += await pruneAsOracle(ring, pooling);
        ring.makeRoom(side(stream.frameShape));
        ring.frame();
        if (positions === 'rebased' && random() % 5 > 0) continue;
        const count = 1 + (random() % 9);
        while (ring.ring.textRoom < count || stream.positions.textRoom < count) {
          const [first, end] = turns.shift()!;
          ring.ring.dropDialogue(first, end);
          stream.drop(first, end);
        }
        ring.makeRoom(count);
        turns.push([ring.ring.nextSeq, ring.ring.nextSeq + count]);
        ring.text(count);
      }
      if (positions === 'rebased') expect(stream.positions.rebases).toBeGreaterThan(5);
      else expect(stream.positions.waysBack.length).toBeGreaterThan(64);
      // Else undoing the rotation would have changed nothing that was kept.
      expect(moved).toBeGreaterThan(PRUNES);
    } finally {
      ring.dispose();
    }
  }, 120_000);
}

/** Prunes; every head must keep what the oracle does. @returns how many heads kept what cached keys would not have. */
async function pruneAsOracle(turned: TurnedRing, pooling: boolean): Promise<number> {
  const { ring } = turned;
  const { layers, kvHeads, tokensPerFrame, gridColumns } = ring.shape;
  const keep = pruneTarget(ring.budget, tokensPerFrame);
  const [unrotated, cached] = [await turned.visualTokens('unrotated'), await turned.visualTokens('cached')];
  expect(turned.makeFrameRoom()).toBe(true);
  const after = await turned.visualTokens('cached');
  let differing = 0;
  for (let head = 0; head < layers * kvHeads; head++) {
    const kept = after[head]!.map(({ seq }) => seq).sort((a, b) => a - b);
    const circumstances = {
      ...{ tokensPerFrame, gridColumns, layers, layer: Math.floor(head / kvHeads) },
      ...{ seed: 0, evenFrames: [], pooling },
    };
    const right = keptTokens(ring.policy, unrotated[head]!, keep, circumstances);
    const answer = right.find((seqs) => seqs.join() === kept.join()) ?? right[0]!;
    expect(kept, `kept by head ${head} at prune ${ring.prunes}`).toEqual(answer);
    const otherwise = keptTokens(ring.policy, cached[head]!, keep, circumstances);
    if (!otherwise.some((seqs) => seqs.join() === kept.join())) differing++;
  }
  return differing;
}
