// Keys after rebases, against the same keys turned to their new positions in double precision.

import { describe, expect, it } from 'vitest';
import { frameShape, type Position } from '../decoder/rotary';
import { TOLERANCE } from '../testing/tolerance';
import { MOST_APART } from './positions';
import type { RingShape } from './ring-shape';
import { TrackedStream } from './testing/tracked-stream';
import { TurnedRing } from './testing/turned-ring';

describe.each(['f32', 'f16'] as const)('keys in %s', (kvFormat) => {
  const tolerance = kvFormat === 'f32' ? TOLERANCE.rebasedKeysF32 : TOLERANCE.rebasedKeysF16;

  const SMALL: RingShape = {
    layers: 2,
    kvHeads: 3,
    headDim: 40,
    capacity: 320,
    tokensPerFrame: 1,
    gridColumns: 1,
    kvFormat,
  };

  it.each([
    { frames: 10_000, mrope: true },
    { frames: 1_000, mrope: false },
  ])(
    '$frames frames with turns between, mrope $mrope: keys are as if cached there',
    async ({ frames, mrope }) => {
      const shape = {
        layers: 1,
        kvHeads: 1,
        headDim: 128, // as published models have
        capacity: 320,
        tokensPerFrame: 2,
        gridColumns: 2,
        kvFormat,
      };
      const stream = new TrackedStream(96, frameShape({ mrope }, 1, 2));
      const ring = await TurnedRing.create(shape, 256, stream);
      try {
        ring.text(5, 'pinned');
        const turns: [first: number, end: number][] = [];
        let worst = 0;
        for (let frame = 0; frame < frames; frame++) {
          ring.ring.makeRoom();
          ring.makeRoom(2);
          ring.frame();
          expect(stream.positions.next).toBeLessThanOrEqual(96);
          if (frame % 41 === 40) {
            while (ring.ring.textRoom < 9 || stream.positions.textRoom < 9) {
              const [first, end] = turns.shift()!;
              ring.ring.dropDialogue(first, end);
              stream.drop(first, end);
            }
            ring.makeRoom(9);
            turns.push([ring.ring.nextSeq, ring.ring.nextSeq + 9]);
            ring.text(9);
          }
          if (frame % 997 === 996) worst = Math.max(worst, await ring.worstError());
        }
        worst = Math.max(worst, await ring.worstError());
        console.log(`${stream.positions.rebases} rebases, largest error of a key ${worst.toExponential(1)}`);
        expect(stream.positions.rebases).toBeGreaterThan(frames / 50);
        expect(worst).toBeLessThan(tolerance);
      } finally {
        ring.dispose();
      }
    },
    600_000,
  );

  it('frames at times of their own, some at the same', async () => {
    const shape = { ...SMALL, tokensPerFrame: 2, gridColumns: 2 };
    const stream = new TrackedStream(120, frameShape({ mrope: true }, 1, 2));
    const ring = await TurnedRing.create(shape, 64, stream);
    try {
      ring.text(5, 'pinned');
      let time = 0;
      for (let frame = 0; frame < 400; frame++) {
        ring.ring.makeRoom();
        ring.makeRoom(8);
        time += [0, 1, 1, 2, 7][(frame * frame) % 5]!;
        ring.frame(time);
        expect(stream.positions.next).toBeLessThanOrEqual(120);
        if (frame % 150 === 100) {
          ring.makeRoom(9);
          ring.text(9);
        }
      }
      expect(stream.positions.rebases).toBeGreaterThan(5);
      expect(await ring.worstError()).toBeLessThan(tolerance);
    } finally {
      ring.dispose();
    }
  }, 600_000);

  it('frames with text before each, joined as it goes: keys move, far from the range', async () => {
    const HELD = 20;
    const shape = { ...SMALL, tokensPerFrame: 2, gridColumns: 2 };
    const stream = new TrackedStream(10_000, frameShape({ mrope: true }, 1, 2));
    const ring = await TurnedRing.create(shape, 64, stream);
    try {
      ring.text(5, 'pinned');
      const texts: [first: number, end: number][] = [];
      for (let frame = 0; frame < 300; frame++) {
        ring.ring.makeRoom();
        if (texts.length === HELD) {
          const [first, end] = texts.shift()!;
          ring.ring.dropDialogue(first, end);
          stream.drop(first, end);
        }
        ring.makeRoom(5);
        texts.push([ring.ring.nextSeq, ring.ring.nextSeq + 3]);
        ring.text(3);
        stream.openVideo();
        ring.frame();
      }
      expect(stream.positions.rebases).toBe(Math.floor((300 - HELD - 1) / (MOST_APART + 1)));
      expect(await ring.worstError()).toBeLessThan(tolerance);
    } finally {
      ring.dispose();
    }
  });

  it('more segments than one pass carries', async () => {
    const stream = new TrackedStream(240, frameShape({ mrope: true }, 1, 1));
    const ring = await TurnedRing.create(SMALL, 160, stream);
    try {
      ring.text(3, 'pinned');
      stream.positions.policy = 'absolute';
      for (let i = 0; i < 80; i++) {
        ring.frame();
        ring.frame();
        ring.text(1);
      }
      expect(stream.positions.next).toBe(3 + 80 * 3);
      stream.positions.policy = 'rebased';
      ring.makeRoom(1);
      expect(stream.positions.next).toBe(3 + 80 * 2);
      expect(await ring.worstError()).toBeLessThan(tolerance);
    } finally {
      ring.dispose();
    }
  });

  it('over 30,000 positions and back', async () => {
    const stream = new TrackedStream(1000, frameShape({ mrope: true }, 1, 1));
    const ring = await TurnedRing.create(SMALL, 160, stream);
    try {
      ring.text(7);
      for (let i = 0; i < 100; i++) ring.frame();
      for (const shift of [-30_000, 12_345, 17_655]) {
        ring.submit([{ first: 0, shift, zeroBefore: 0, zeroAfter: 0 }]);
        for (const token of stream.tokens.values()) {
          token.position = token.position.map((position) => position - shift) as unknown as Position;
        }
        expect(await ring.worstError()).toBeLessThan(tolerance);
      }
      expect(stream.at(0)).toEqual([0, 0, 0]);
    } finally {
      ring.dispose();
    }
  });
});
