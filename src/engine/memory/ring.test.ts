// The ring's accounting, and what is left behind by tokens that were taken back or dropped.

import { beforeEach, describe, expect, it } from 'vitest';
import { InvalidInputError, MemoryFullError } from '../errors';
import { TEXT } from '../gpu/step';
import { testGpu } from '../gpu/testing/harness';
import { checkRingShape, type RingShape } from './ring-shape';
import { MirroredRing } from './testing/mirrored-ring';

const SHAPE: RingShape = {
  layers: 2,
  kvHeads: 2,
  headDim: 32,
  capacity: 64,
  tokensPerFrame: 6,
  gridColumns: 3,
  kvFormat: 'f16',
};
const VISUAL = 40; // six frames; 24 slots for text

let shared: MirroredRing | undefined;
let mirrored: MirroredRing;

beforeEach(async () => {
  shared ??= await MirroredRing.create(await testGpu(), SHAPE, VISUAL, 1);
  mirrored = shared;
  mirrored.ring.configure({ policy: 'infinipot-v', budget: { tokens: VISUAL } });
  await mirrored.reset();
});

describe('allocate', () => {
  it('counts places, sequence numbers, frames and slots in use', () => {
    const { ring } = mirrored;
    expect(ring.allocate('pinned', 4)).toEqual({ firstSeq: 0, freeHead: 0, scanSlots: 4, frame: TEXT });
    expect(ring.allocate('visual', 6)).toEqual({ firstSeq: 4, freeHead: 4, scanSlots: 10, frame: 0 });
    expect(ring.allocate('visual', 6)).toEqual({ firstSeq: 10, freeHead: 10, scanSlots: 16, frame: 1 });
    expect(ring.allocate('dialogue', 1)).toEqual({ firstSeq: 16, freeHead: 16, scanSlots: 17, frame: TEXT });
    expect(ring.counts).toEqual({ pinned: 4, visual: 12, dialogue: 1 });
    expect(ring.textRoom).toBe(24 - 5);
  });

  it('goes around the list and scans no further than its capacity', async () => {
    const { ring } = mirrored;
    for (let frame = 0; frame < 11; frame++) {
      await mirrored.makeRoom();
      mirrored.put('visual');
    }
    await mirrored.makeRoom();
    expect(ring.allocate('visual', 6)).toEqual({ firstSeq: 66, freeHead: 2, scanSlots: 64, frame: 11 });
  });

  it('refuses text beyond its share, frames without room, and parts of frames', () => {
    const { ring } = mirrored;
    ring.allocate('pinned', 20);
    expect(() => ring.allocate('dialogue', 5)).toThrow(MemoryFullError);
    expect(() => ring.allocate('visual', 5)).toThrow(InvalidInputError);
    expect(() => ring.allocate('dialogue', 0)).toThrow(InvalidInputError);
    for (let frame = 0; frame < 6; frame++) ring.allocate('visual', 6);
    expect(() => ring.allocate('visual', 6)).toThrow(MemoryFullError);
    expect(ring.counts).toEqual({ pinned: 20, visual: 36, dialogue: 0 });
  });

  it('says what to do when the policy keeps everything', () => {
    const { ring } = mirrored;
    ring.configure({ policy: 'full' });
    for (let frame = 0; frame < 6; frame++) {
      expect(ring.makeRoom()).toBe(false);
      ring.allocate('visual', 6);
    }
    expect(() => ring.makeRoom()).toThrow(/infinipot-v or sliding-window, or a larger budget/);
    expect(() => ring.allocate('visual', 6)).toThrow(MemoryFullError);
  });
});

describe('prune', () => {
  it('keeps no more than there is, and no part of a token', () => {
    const { ring } = mirrored;
    mirrored.put('visual');
    for (const keep of [0, 7, 2.5, Number.NaN]) expect(() => ring.prune(keep)).toThrow(InvalidInputError);
    ring.prune(5);
    expect(ring.counts.visual).toBe(5);
    expect(ring.prunes).toBe(1);
  });
});

describe('rollback', () => {
  it('gives the same slots and sequence numbers again', () => {
    const { ring } = mirrored;
    ring.allocate('pinned', 3);
    const first = ring.allocate('dialogue', 1);
    for (let i = 0; i < 4; i++) ring.allocate('dialogue', 1);
    ring.rollback(5);
    expect(ring.counts.dialogue).toBe(0);
    expect(ring.allocate('dialogue', 1)).toEqual(first);
    const frame = ring.allocate('visual', 6);
    ring.rollback(6);
    expect(ring.allocate('visual', 6)).toEqual(frame);
  });

  it('takes back only the newest tokens of one region, whole frames, none that a release came after', async () => {
    const { ring } = mirrored;
    mirrored.put('pinned', 3);
    mirrored.put('dialogue', 4);
    expect(() => ring.rollback(5)).toThrow(InvalidInputError);
    mirrored.put('visual');
    expect(() => ring.rollback(3)).toThrow(InvalidInputError);
    expect(() => ring.rollback(12)).toThrow(InvalidInputError);
    await mirrored.dropDialogue(3, 4);
    expect(() => ring.rollback(6)).toThrow(InvalidInputError);
    mirrored.put('dialogue', 2);
    ring.rollback(2);
    expect(() => ring.rollback(1)).toThrow(InvalidInputError);
    await mirrored.check();
  });

  it('leaves nothing that a prune, a release or a later query could take for a token', async () => {
    const { ring } = mirrored;
    mirrored.put('pinned', 2);
    for (let round = 0; round < 12; round++) {
      while (ring.counts.visual + 6 <= ring.budget) mirrored.put('visual');
      // Seven tokens are taken back and the slots keep saying otherwise until they are reached again.
      mirrored.put('dialogue', 9);
      await mirrored.check();
      mirrored.rollback(7);
      await mirrored.check();
      if (round % 3 === 0) await mirrored.dropDialogue(2, ring.nextSeq + 100);
      await mirrored.makeRoom();
      if (round % 3 === 1) await mirrored.dropDialogue(2, ring.nextSeq + 100);
      mirrored.put('dialogue', 1);
      await mirrored.check();
      mirrored.put('visual');
      mirrored.rollback(6);
      await mirrored.makeRoom();
      await mirrored.check();
      if (round % 3 === 2) await mirrored.dropDialogue(2, ring.nextSeq);
    }
    await mirrored.checkRows();
  });
});

describe('dropDialogue', () => {
  it('releases a range of dialogue and leaves frames and pinned tokens in it alone', async () => {
    const { ring } = mirrored;
    mirrored.put('pinned', 3);
    mirrored.put('dialogue', 5);
    mirrored.put('visual');
    mirrored.put('dialogue', 7);
    expect(await mirrored.dropDialogue(6, 18)).toBe(2 + 4);
    expect(ring.counts).toEqual({ pinned: 3, visual: 6, dialogue: 6 });
    expect(await mirrored.dropDialogue(6, 18)).toBe(0);
    expect(() => ring.dropDialogue(2, 5)).toThrow(InvalidInputError);
    expect(await mirrored.dropDialogue(3, 2 ** 31)).toBe(6);
    expect(ring.counts.dialogue).toBe(0);
  });
});

describe('shape', () => {
  it('is checked', () => {
    for (const wrong of [
      { capacity: 100 },
      { capacity: 131072 },
      { headDim: 6 },
      { layers: 0 },
      { gridColumns: 4 },
    ]) {
      expect(() => checkRingShape({ ...SHAPE, ...wrong })).toThrow(InvalidInputError);
    }
    checkRingShape({ ...SHAPE, capacity: 65536 });
  });
});
