import { expect, test } from 'vitest';
import { Speedometer } from './speedometer';

test('tells speed and time left of a steady download', () => {
  const speed = new Speedometer();
  expect(speed.at(0, 500, 10_000)).toEqual({ bytesPerSecond: 0, secondsLeft: null });
  for (let t = 200; t < 8000; t += 200) speed.at(t, 500 + t, 10_000);
  expect(speed.at(8000, 8500, 10_000)).toEqual({ bytesPerSecond: 1000, secondsLeft: 1.5 });
});

test('forgets how fast it once was, and knows when it is done', () => {
  const speed = new Speedometer();
  speed.at(0, 0, 100);
  speed.at(1000, 90, 100);
  for (let t = 2000; t <= 7000; t += 1000) speed.at(t, 90, 100);
  expect(speed.at(8000, 90, 100)).toEqual({ bytesPerSecond: 0, secondsLeft: null });
  expect(speed.at(9000, 100, 100).secondsLeft).toBe(0);
});
