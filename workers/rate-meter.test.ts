import { expect, test } from 'vitest';
import { RateMeter } from './rate-meter';

test('tells a steady rate, and that it has ended', () => {
  const meter = new RateMeter(4000);
  for (let t = 0; t <= 20_000; t += 500) meter.count(t);
  expect(meter.rate(20_000)).toBeCloseTo(2, 0);
  expect(meter.rate(22_000)).toBeLessThan(2);
  expect(meter.rate(24_001)).toBe(0);
});

test('a burst counts at most as its events within one second', () => {
  const meter = new RateMeter(4000);
  for (let i = 0; i < 12; i++) meter.count(i);
  expect(meter.rate(11)).toBe(12);
});

test('is zero before anything happened', () => {
  expect(new RateMeter(4000).rate(123)).toBe(0);
});
