// Held-out streams of Toybox: chains of scenes from one bank, with questions that were written with them
// (`reference/toybox/clips.py streams`). The model was trained on none of the scenes.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RgbFrame } from '../src/engine/contract';
import type { Exam } from './exam';
import { stripFrames } from './strips';
import { sentenceQuestion, type WrittenQuestion } from './written-question';

/** Where the streams of the bundled model lie, seen from the repository. */
export const STREAMS_FOLDER = 'eval/streams';

/** Side in pixels of a frame of the bank. */
export const STREAM_FRAME_SIDE = 112;

/** `streams.json`. */
interface StreamsFile {
  readonly framesPerSecond: number;
  /** The bank: strips of scenes one below the other, so many seconds each. Scenes are numbered through all strips. */
  readonly strips: readonly { readonly file: string; readonly seconds: readonly number[] }[];
  /** Chains of scenes, the last one cut where the stream ends. */
  readonly streams: readonly {
    readonly name: string;
    readonly seconds: number;
    readonly scenes: readonly number[];
    readonly questions: readonly WrittenQuestion[];
  }[];
}

/** A stream, whose length is known before it is watched. */
export interface StreamExam extends Exam {
  readonly seconds: number;
}

/**
 * The streams of a folder, by length and then by number. Frames are read from the strips when first asked for.
 * @returns also the suite's name, with a fingerprint of the questions.
 */
export async function readStreams(folder: string): Promise<{ suite: string; exams: StreamExam[] }> {
  const text = await readFile(join(folder, 'streams.json'), 'utf8');
  const { framesPerSecond, strips, streams } = JSON.parse(text) as StreamsFile;
  const scene = sceneReader(folder, strips, framesPerSecond);
  const exams = streams.map(({ name, seconds, scenes, questions }) => ({
    name,
    seconds,
    group: `${seconds} s`,
    framesPerSecond,
    questions: questions.map(sentenceQuestion),
    async *frames() {
      let left = seconds * framesPerSecond;
      for (const index of scenes) {
        const frames = (await scene(index)).slice(0, left);
        yield* frames;
        left -= frames.length;
      }
    },
  }));
  return { suite: `streams ${createHash('sha256').update(text).digest('hex').slice(0, 12)}`, exams };
}

/** Reads scenes of the bank by number; a strip is decoded once and then kept (all of them: 60 MB). */
function sceneReader(
  folder: string,
  strips: StreamsFile['strips'],
  framesPerSecond: number,
): (index: number) => Promise<RgbFrame[]> {
  const decoded = new Map<string, Promise<RgbFrame[]>>();
  const places = strips.flatMap(({ file, seconds }) => {
    const ends = seconds.map((_, i) => framesPerSecond * sum(seconds.slice(0, i + 1)));
    return ends.map((end, i) => ({ file, first: ends[i - 1] ?? 0, end, all: ends.at(-1)! }));
  });
  return async (index) => {
    const { file, first, end, all } = places[index]!;
    const frames = decoded.get(file) ?? stripFrames(join(folder, file), all);
    decoded.set(file, frames);
    return (await frames).slice(first, end);
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
