// Times of frames: one a frame, or by their timestamps, without gaps between videos.

import { describe, expect, it } from 'vitest';
import { StreamClock } from './stream-clock';

const ANY = Number.POSITIVE_INFINITY;

/** Times of frames that come at these milliseconds. */
const times = (clock: StreamClock, timestampsMs: readonly number[], latest = ANY) =>
  timestampsMs.map((timestampMs) => clock.frame(timestampMs, latest));

describe('one clock for all sources', () => {
  const streamMs = (clock: StreamClock, timestampsMs: readonly number[]) =>
    timestampsMs.map((timestampMs) => clock.streamMs(timestampMs));

  it('counts from the first frame, whatever its timestamp', () => {
    expect(streamMs(new StreamClock(), [123_000, 123_500, 125_000])).toEqual([0, 500, 2000]);
  });

  it('goes on one step behind the newest frame when a source begins anew', () => {
    const clock = new StreamClock();
    expect(streamMs(clock, [0, 500, 1000, 0, 500, 7000])).toEqual([0, 500, 1000, 1500, 2000, 8500]);
    // Two frames of one time are no step.
    expect(streamMs(clock, [7000, 6999, 7000])).toEqual([8500, 15_000, 15_001]);
  });

  it('takes frames of one time as they are', () => {
    expect(streamMs(new StreamClock(), [40, 40, 40, 10])).toEqual([0, 0, 0, 0]);
  });

  it('goes on from a saved state, with the same source or another', () => {
    const clock = new StreamClock();
    streamMs(clock, [1000, 3000]);
    const { state } = clock;
    for (const next of [3500, 0]) {
      const other = new StreamClock();
      other.restore(structuredClone(state));
      expect(streamMs(other, [next])).toEqual([next === 0 ? 4000 : 2500]);
    }
    clock.clear();
    expect(streamMs(clock, [9000])).toEqual([0]);
  });
});

describe('one position a frame', () => {
  it('whenever they come', () => {
    const clock = new StreamClock();
    clock.openVideo();
    expect(times(clock, [0, 1000, 60_000, 60_001])).toEqual([0, 1, 2, 3]);
    clock.openVideo();
    expect(clock.advance(99_000)).toBe(1);
    expect(times(clock, [99_000])).toEqual([4]);
  });
});

it('as many positions as a frame takes', () => {
  const clock = new StreamClock(undefined, 6);
  clock.openVideo();
  expect(times(clock, [0, 500, 7000])).toEqual([0, 6, 12]);
  clock.openVideo();
  expect(clock.advance(8000)).toBe(6);
  expect(times(clock, [8000])).toEqual([18]);
});

describe('two positions a second', () => {
  const opened = () => {
    const clock = new StreamClock(2);
    clock.openVideo();
    return clock;
  };

  it('as transformers has them at one, two and three frames a second', () => {
    // A temporal patch is two frames.
    const patches = (framesPerSecond: number) =>
      Array.from({ length: 7 }, (_, i) => (2000 * i) / framesPerSecond);
    expect(times(opened(), patches(1))).toEqual([0, 4, 8, 12, 16, 20, 24]);
    expect(times(opened(), patches(2))).toEqual([0, 2, 4, 6, 8, 10, 12]);
    expect(times(opened(), patches(3))).toEqual([0, 1, 2, 4, 5, 6, 8]);
  });

  it('counts from the first frame, whatever its timestamp, and forgives rounded ones', () => {
    expect(times(opened(), [123_456, 124_455.6, 125_456.4])).toEqual([0, 2, 4]);
  });

  it('never goes back, and frames may share a time', () => {
    expect(times(opened(), [5000, 5100, 5600, 4000, 5700])).toEqual([0, 0, 1, 1, 1]);
  });

  it('says before a frame how many positions it takes', () => {
    const clock = opened();
    expect(clock.advance(7000)).toBe(1);
    times(clock, [7000]);
    expect([7000, 7500, 9000].map((ms) => clock.advance(ms))).toEqual([0, 1, 4]);
    expect(times(clock, [9000])).toEqual([4]);
  });

  it('goes straight on with the next video', () => {
    const clock = opened();
    times(clock, [0, 1000]);
    clock.openVideo();
    expect(times(clock, [90_000, 91_000])).toEqual([3, 5]);
  });

  it('what lies behind the latest time is lost for good', () => {
    const clock = opened();
    times(clock, [0]);
    expect(clock.frame(60_000, 10)).toBe(10);
    expect(times(clock, [61_000, 62_000])).toEqual([12, 14]);
  });

  it('goes on from a saved state', () => {
    const clock = opened();
    times(clock, [1000, 2000]);
    const other = new StreamClock(2);
    other.restore(structuredClone(clock.state));
    expect(times(other, [3500])).toEqual(times(clock, [3500]));
    other.clear();
    expect(times(other, [9000])).toEqual([0]);
  });
});
