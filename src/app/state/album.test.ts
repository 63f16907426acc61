// An album stays small while the stream goes on, and closes what it lets go of.
import { expect, it } from 'vitest';
import { MOST_MOMENTS, Moments } from '../../engine/memory/moments';
import { Album, MOST_WAITING } from './album';

/** A stand-in for a picture, which Node has none of; the album only counts and closes it. */
function picture(closed: number[] = [], time = 0): ImageBitmap {
  return { width: 8, height: 4, close: () => closed.push(time) };
}

const BYTES = 8 * 4 * 4;

it('keeps the pictures of moments, and those that may become some', () => {
  const album = new Album();
  const closed: number[] = [];
  for (const time of [0, 500, 1000, 1500, 2000]) album.put(time, picture(closed, time));
  album.keep([0, 1000]);
  expect(closed).toEqual([500]);
  expect(album.bytes).toBe(4 * BYTES);
  expect(album.at(500)).toBe(null);
  expect(album.at(1500)).not.toBe(null);
  album.keep([1000, 2000]);
  expect(closed).toEqual([500, 0, 1500]);
  album.clear();
  expect(closed).toEqual([500, 0, 1500, 1000, 2000]);
  expect(album.bytes).toBe(0);
  // Another stream, whose times begin anew.
  album.put(0, picture());
  expect(album.at(0)).not.toBe(null);
});

it('has a picture for each moment of a long stream, and few more', () => {
  const album = new Album();
  const moments = new Moments();
  let most = 0;
  for (let frame = 0; frame < 5000; frame++) {
    const timestampMs = frame * 1000;
    album.put(timestampMs, picture());
    moments.add({ frame, timestampMs });
    most = Math.max(most, album.bytes);
    if (frame % 5 > 0) continue;
    album.keep(moments.seen.map((moment) => moment.timestampMs));
    if (moments.seen.some((moment) => !album.at(moment.timestampMs))) expect.fail(`at frame ${frame}`);
  }
  expect(most).toBeLessThanOrEqual((MOST_MOMENTS + 5) * BYTES);
});

it('stays small though nobody tells it of moments', () => {
  const album = new Album();
  album.put(0, picture());
  album.keep([0]);
  for (let time = 1; time < 1000; time++) album.put(time, picture());
  expect(album.bytes).toBe((1 + MOST_WAITING) * BYTES);
  expect(album.at(0)).not.toBe(null);
  expect(album.at(999)).not.toBe(null);
});
