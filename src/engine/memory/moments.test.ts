// Moments stay few, even and near the present while the stream grows.
import { expect, it } from 'vitest';
import { MOST_MOMENTS, Moments } from './moments';

const NEWEST = 16;

function seenAfter(frames: number): Moments {
  const moments = new Moments();
  for (let frame = 0; frame < frames; frame++) moments.add({ frame, timestampMs: frame * 1000 });
  return moments;
}

it('tells every frame of a short stream apart', () => {
  const { seen } = seenAfter(MOST_MOMENTS);
  expect(seen.map(({ frame }) => frame)).toEqual(Array.from({ length: MOST_MOMENTS }, (_, i) => i));
});

it('over a long stream keeps the first, the newest, and of the others no gap beyond about twice the mean', () => {
  const moments = seenAfter(3 * MOST_MOMENTS);
  let [widest, narrowest] = [0, Number.POSITIVE_INFINITY];
  for (let frame = 3 * MOST_MOMENTS; frame < 10_000; frame++) {
    moments.add({ frame, timestampMs: frame * 1000 });
    const frames = moments.seen.map((moment) => moment.frame);
    const newest = Array.from({ length: NEWEST }, (_, i) => frame - NEWEST + 1 + i);
    const right = frames.length === MOST_MOMENTS && frames[0] === 0;
    if (!right || frames.slice(-NEWEST).join() !== newest.join()) expect(frames).toEqual([0, '…', ...newest]);
    const older = frames.slice(0, -NEWEST + 1);
    const gaps = older.slice(1).map((next, i) => next - older[i]!);
    narrowest = Math.min(narrowest, ...gaps);
    widest = Math.max(widest, Math.max(...gaps) / Math.ceil(newest[0]! / gaps.length));
  }
  expect(narrowest).toBeGreaterThan(0);
  expect(widest).toBeLessThan(2.1);
  for (const { frame, timestampMs } of moments.seen) expect(timestampMs).toBe(frame * 1000);
});

it('goes on from what was taken over as if nothing had been between', () => {
  const [one, other] = [seenAfter(150), new Moments()];
  other.restore(one.seen);
  for (const moments of [one, other]) {
    for (let frame = 150; frame < 300; frame++) moments.add({ frame, timestampMs: frame * 1000 });
  }
  expect(other.seen).toEqual(one.seen);
  one.clear();
  expect(one.seen).toEqual([]);
  expect(other.seen).toHaveLength(MOST_MOMENTS);
});
