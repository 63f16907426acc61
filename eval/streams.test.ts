// The streams that ship: whole, and cut out of the bank as their scenes say.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { RgbFrame } from '../src/engine/contract';
import type { Exam } from './exam';
import { readStreams, STREAM_FRAME_SIDE, STREAMS_FOLDER } from './streams';

const { exams, suite } = await readStreams(STREAMS_FOLDER);

async function framesOf({ frames }: Exam): Promise<RgbFrame[]> {
  const all: RgbFrame[] = [];
  for await (const frame of frames()) all.push(frame);
  return all;
}

it('asks enough of every length, half of it about the past', () => {
  expect(suite).toMatch(/^streams [0-9a-f]{12}$/);
  for (const length of [8, 16, 32, 64, 128]) {
    const questions = exams.filter(({ seconds }) => seconds === length).flatMap((exam) => exam.questions);
    const past = questions.filter(({ tense }) => tense === 'past');
    expect(questions.length).toBeGreaterThan(280);
    expect(past.length / questions.length).toBeCloseTo(0.5, 1);
    expect(new Set(questions.map(({ type }) => type)).size).toBe(18);
    for (const { ago } of past) if (ago !== undefined) expect(ago).toBeLessThan(length);
    // Some of it reaches back to the beginning.
    expect(Math.max(...past.map(({ ago = 0 }) => ago))).toBeGreaterThan(length * 0.8);
  }
});

it('knows right answers from wrong ones', () => {
  const first = exams[0]!.questions.find(({ type }) => type === 'distinct')!;
  expect(first.isRight('I have never counted.')).toBe(false);
  expect(exams.flatMap(({ questions }) => questions).every(({ isRight }) => !isRight(''))).toBe(true);
});

it('chains scenes into as many frames as the stream is long', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg to read the strips');
  const stream = exams.find(({ seconds }) => seconds === 32)!;
  const frames = await framesOf(stream);
  expect(frames).toHaveLength(64);
  for (const { width, height, data } of frames) {
    expect([width, height, data.length]).toEqual([
      STREAM_FRAME_SIDE,
      STREAM_FRAME_SIDE,
      STREAM_FRAME_SIDE ** 2 * 3,
    ]);
  }
  // The pictures of a scene are alike, those of different scenes are not: every jump is a pair's beginning.
  const jumps = frames.flatMap((frame, i) => (i > 0 && distance(frame, frames[i - 1]!) > 35 ? [i] : []));
  expect(jumps.length).toBeGreaterThan(4);
  expect(jumps.filter((at) => at % 2 === 1)).toEqual([]);
});

/** Mean absolute difference of two frames' bytes. */
function distance(a: RgbFrame, b: RgbFrame): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}
