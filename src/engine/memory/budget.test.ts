// Budgets, prune targets and the arithmetic of the policies.

import { expect, it } from 'vitest';
import { InvalidInputError } from '../errors';
import { budgetTokens, pruneTarget } from './budget';
import { POLICIES } from './policies';
import { poolWindows } from './pool-windows';
import { bytesPerToken, type RingShape } from './ring-shape';

const QWEN_3B: RingShape = {
  layers: 36,
  kvHeads: 2,
  headDim: 128,
  capacity: 6144,
  tokensPerFrame: 64,
  gridColumns: 8,
  kvFormat: 'f16',
};

it('converts bytes to tokens', () => {
  expect(bytesPerToken(QWEN_3B)).toBe(36864);
  expect(budgetTokens(QWEN_3B, { bytes: 36864 * 1000 + 5 }, 6144)).toBe(1000);
  expect(budgetTokens(QWEN_3B, { tokens: 6144 }, 6144)).toBe(6144);
});

it.each([127, 6145, -1, Number.NaN])('refuses a budget of %d tokens, and says what fits', (tokens) => {
  expect(() => budgetTokens(QWEN_3B, { tokens }, 6144)).toThrow(InvalidInputError);
  expect(() => budgetTokens(QWEN_3B, { tokens }, 6144)).toThrow(/between 128 tokens .* and 6144 tokens/);
});

it.each([
  [128, 1],
  [200, 2],
  [256, 3],
  [16 * 64, 12],
  [6144, 72],
])('a prune under a budget of %d tokens leaves %d frames, and room for one', (budget, frames) => {
  const target = pruneTarget(budget, 64);
  expect(target).toBe(frames * 64);
  expect(target + 64).toBeLessThanOrEqual(budget);
});

it('plans InfiniPot-V as published', () => {
  const plan = POLICIES['infinipot-v'].plan!;
  const of16 = { visualTokens: 160, tokensPerFrame: 10, pooling: false };
  // 16 frames of 10, 12 stay: 4 recent, 60 tokens recent or distinct.
  expect(plan({ ...of16, keep: 120 })).toEqual({
    recentFrames: 4,
    stages: [
      { score: 'tar', upTo: 60 },
      { score: 'van', upTo: 120 },
    ],
  });
  // An odd number of tokens: the half that goes by value is rounded to an even one.
  expect(plan({ ...of16, keep: 97 }).stages[0]!.upTo).toBe(49);
  expect(plan({ ...of16, keep: 99 }).stages[0]!.upTo).toBe(49);
  // Recent frames alone exceed α·T.
  expect(plan({ ...of16, keep: 50 }).stages[0]!.upTo).toBe(40);
  // A few frames: the newest is recent. A budget cut hard: no more recent frames than may stay.
  expect(plan({ ...of16, visualTokens: 20, keep: 10 }).recentFrames).toBe(1);
  expect(plan({ ...of16, keep: 20 }).recentFrames).toBe(2);
});

it('shrinks pooling windows to the largest odd side that fits', () => {
  expect(poolWindows(16, 14, 14)).toEqual({ volume: 7, plane: 5 });
  expect(poolWindows(6, 14, 9)).toEqual({ volume: 5, plane: 5 });
  expect(poolWindows(16, 4, 14)).toEqual({ volume: 3, plane: 3 });
  expect(poolWindows(4, 14, 14)).toEqual({ volume: 3, plane: 3 });
  expect(poolWindows(16, 2, 3)).toEqual({ volume: 1, plane: 1 });
  expect(poolWindows(0, 8, 8)).toEqual({ volume: 1, plane: 1 });
});

it('every policy that prunes ends at what may stay', () => {
  for (const { plan } of Object.values(POLICIES)) {
    for (let frames = 2; plan && frames < 40; frames++) {
      for (let keep = 1; keep < frames; keep++) {
        const { stages, recentFrames } = plan({
          visualTokens: frames * 6,
          tokensPerFrame: 6,
          keep: keep * 6,
          pooling: keep % 2 === 0,
        });
        expect(stages.at(-1)!.upTo).toBe(keep * 6);
        expect(recentFrames).toBeLessThanOrEqual(keep);
      }
    }
  }
});
