// Which axis turns which rotary pair, in both layouts that families have.

import { describe, expect, it } from 'vitest';
import { rotaryAxes, rotaryTable } from './rotary';

describe('rotary axes', () => {
  it('stand in sections', () => {
    expect(rotaryAxes({ ropeSections: [2, 3, 3] })).toEqual([0, 0, 1, 1, 1, 2, 2, 2]);
  });

  it('take turns as far as the shorter sections reach', () => {
    expect(rotaryAxes({ ropeSections: [4, 2, 2], ropeInterleaved: true })).toEqual([0, 1, 2, 0, 1, 2, 0, 0]);
  });

  it("of Qwen3-VL's heads: as many as each section says, the last four by time", () => {
    const axes = rotaryAxes({ ropeSections: [24, 20, 20], ropeInterleaved: true });
    expect([0, 1, 2].map((axis) => axes.filter((one) => one === axis).length)).toEqual([24, 20, 20]);
    expect(axes.slice(60)).toEqual([0, 0, 0, 0]);
  });
});

it('a pair is turned by its own axis alone', () => {
  const rope = { headDim: 16, ropeTheta: 100, ropeSections: [4, 2, 2], ropeInterleaved: true } as const;
  const table = rotaryTable([[3, 5, 7]], rope);
  const angles = [3, 5, 7, 3, 5, 7, 3, 3].map((position, pair) => position * 100 ** (-pair / 8));
  const wanted = angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
  for (const [i, value] of wanted.entries()) expect(table[i]).toBeCloseTo(value, 6);
});
