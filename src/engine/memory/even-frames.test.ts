// Frames that stay evenly spread while the stream grows.
import { expect, it } from 'vitest';
import { evenFrames } from './even-frames';

it('begins equal stretches of a stream held without gaps', () => {
  for (let seen = 1; seen < 40; seen++) {
    const held = Array.from({ length: seen }, (_, i) => i);
    for (let count = 1; count <= seen; count++) {
      const right = Array.from({ length: count }, (_, i) => Math.floor((i * seen) / count));
      expect(evenFrames(held, count, seen)).toEqual(right);
    }
  }
});

it('takes the nearest of what is left, of two the older, and all where there are too few', () => {
  expect(evenFrames([0, 1, 7, 8, 9], 3, 12)).toEqual([0, 1, 8]);
  expect(evenFrames([0, 3, 5, 10], 3, 12)).toEqual([0, 3, 10]);
  expect(evenFrames([2, 5], 3, 12)).toEqual([2, 5]);
  expect(evenFrames([9, 10, 11], 2, 12)).toEqual([9, 10]);
});

for (const [frames, kept] of [
  [4, 3],
  [10, 7],
  [16, 12],
  [128, 96],
] as const) {
  it(`stays even over 200 prunes from ${frames} to ${kept}`, () => {
    let held: number[] = [];
    let seen = 0;
    for (let prune = 0; prune < 200; prune++) {
      while (held.length < frames) held.push(seen++);
      held = evenFrames(held, kept, seen);
      const gaps = held.map((frame, i) => (held[i + 1] ?? seen) - frame);
      expect(held).toHaveLength(kept);
      expect(held[0]).toBe(0);
      expect(Math.max(...gaps) / Math.ceil(seen / kept)).toBeLessThan(2.2);
    }
  });
}
