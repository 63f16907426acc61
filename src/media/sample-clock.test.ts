import { expect, test } from 'vitest';
import { SampleClock } from './sample-clock';

function taken(framesPerSecond: number, times: number[]): number[] {
  const clock = new SampleClock(framesPerSecond);
  return times.filter((time) => clock.takes(time));
}

test('takes two frames a second of thirty, on an even grid', () => {
  const times = Array.from({ length: 91 }, (_, i) => Math.round((i * 1000) / 30));
  expect(taken(2, times)).toEqual([0, 500, 1000, 1500, 2000, 2500, 3000]);
});

test('takes every frame of a stream slower than the rate', () => {
  expect(taken(2, [0, 900, 1700, 2900])).toEqual([0, 900, 1700, 2900]);
});

test('does not make up for a gap with a burst', () => {
  expect(taken(2, [0, 500, 5000, 5033, 5066, 5500, 5533])).toEqual([0, 500, 5000, 5500]);
});

test('keeps the mean rate when the stream jitters', () => {
  const times = Array.from({ length: 600 }, (_, i) => i * 33.4 + (i % 3) * 5);
  expect(taken(2, times).length).toBe(41);
});
