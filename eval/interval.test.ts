import { expect, it } from 'vitest';
import { wilson } from './interval';

// The roots of (p − p̂)² = z² p (1 − p) / n, which is how the interval is defined.
for (const [right, asked] of [
  [0, 10],
  [10, 10],
  [1, 3],
  [42, 50],
  [500, 1440],
] as const) {
  it(`bounds ${right} of ${asked} where the score test turns`, () => {
    const { low, high } = wilson(right, asked);
    const share = right / asked;
    for (const bound of [low, high]) {
      expect((bound - share) ** 2).toBeCloseTo((1.959964 ** 2 * bound * (1 - bound)) / asked, 10);
    }
    expect(low).toBeLessThanOrEqual(share + 1e-12);
    expect(high).toBeGreaterThanOrEqual(share - 1e-12);
    expect(high - low).toBeGreaterThan(0);
  });
}

it('knows a published value', () => {
  // Newcombe 1998, table I: 81 of 263.
  const { low, high } = wilson(81, 263);
  expect(low).toBeCloseTo(0.2553, 4);
  expect(high).toBeCloseTo(0.3662, 4);
});

it('knows nothing where nothing was asked', () => {
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
});
