// Pictures cut out of ffmpeg's stream, and what is said when there is no video to read.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RgbFrame } from '../src/engine/contract';
import { ppmPictures, videoFrames } from './video';

const CLIP = join(import.meta.dirname, '../public/demo/toybox-demo.mp4');

/** Two pictures of 3 × 2 and 40 × 1 pixels. */
function stream(): Buffer {
  const picture = (width: number, height: number, first: number) => [
    Buffer.from(`P6\n${width} ${height}\n255\n`),
    Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (first + i) % 256)),
  ];
  return Buffer.concat([...picture(3, 2, 10), ...picture(40, 1, 32)]);
}

async function collect(frames: AsyncIterable<RgbFrame>): Promise<RgbFrame[]> {
  const all: RgbFrame[] = [];
  for await (const frame of frames) all.push(frame);
  return all;
}

async function* cut(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

for (const size of [1, 7, 31, 1000]) {
  it(`cuts pictures out of chunks of ${size} bytes`, async () => {
    const frames = await collect(ppmPictures(cut(stream(), size)));
    expect(
      frames.map(({ width, height, data }) => [width, height, data.length, data[0], data.at(-1)]),
    ).toEqual([
      [3, 2, 18, 10, 27],
      [40, 1, 120, 32, 151],
    ]);
  });
}

it('refuses a stream that ends within a picture, or is none', async () => {
  await expect(collect(ppmPictures(cut(stream().subarray(0, 60), 9)))).rejects.toThrow('ended within');
  await expect(collect(ppmPictures(cut(Buffer.alloc(99), 9)))).rejects.toThrow('no PPM');
});

it('reads a video file at the rate asked for', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'skipped: no ffmpeg');
  let count = 0;
  for await (const { width, height, data } of videoFrames(CLIP, 1)) {
    expect(data.length).toBe(width * height * 3);
    count++;
  }
  expect(count).toBeGreaterThan(2);
});

it('may be left before its end', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'skipped: no ffmpeg');
  for await (const frame of videoFrames(CLIP, 2)) {
    expect(frame.width).toBeGreaterThan(0);
    break;
  }
});

it('names a file that is not there, and one that is no video', async ({ skip }) => {
  await expect(videoFrames('/nowhere/x.mp4', 1).next()).rejects.toThrow('x.mp4 was not found');
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'skipped: no ffmpeg');
  await expect(videoFrames(import.meta.filename, 1).next()).rejects.toThrow(
    'ffmpeg could not read video.test.ts',
  );
});
