// The interval of a median, against the binomial distribution.
import { expect, it } from 'vitest';
import { medianInterval } from './measure';

it('covers the true median in about 95 % of samples', () => {
  // For n values the interval from the (k+1)th smallest to the (k+1)th largest misses the median when at most k of
  // n fair coins show heads, on either side.
  for (const n of [15, 60, 120]) {
    const ranks = Array.from({ length: n }, (_, i) => i);
    const { middle, low, high } = medianInterval([...ranks].reverse());
    expect(middle).toBe((n - 1) / 2);
    expect(low + high).toBe(n - 1);
    let missed = 0;
    for (let heads = 0, ways = 2 ** -n; heads <= low; ways *= (n - heads) / ++heads) missed += 2 * ways;
    expect(1 - missed).toBeGreaterThan(0.93);
    expect(1 - missed).toBeLessThan(0.98);
  }
});

it('gives few values their range', () => {
  expect(medianInterval([3, 1, 2])).toEqual({ middle: 2, low: 1, high: 3 });
});
