// Multiple-choice sets in both layouts, the videos they name, and what is said of broken ones.
import { spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { RgbFrame } from '../src/engine/contract';
import { type Dataset, parseDataset, readDataset } from './datasets';
import { npyBytes } from './testing/npy';

const CLIP = join(import.meta.dirname, '../e2e/fixtures/clips/scene.mp4');

const folder = await mkdtemp(join(tmpdir(), 'dataset-'));
afterAll(() => rm(folder, { recursive: true }));

const one = {
  question_id: '001-1',
  task_type: 'Counting Problem',
  question: 'How many shapes are there?',
  options: ['A. One.', 'B. Two.', 'C. Three.', 'D. Four.'],
  answer: 'B',
};
const about = {
  video_id: '001',
  videoID: 'scene',
  duration: 'short',
  domain: 'Toys',
  sub_category: 'Shapes',
};
const videoMme = { ...about, questions: [one, { ...one, question_id: '001-2', answer: 'C' }] };
const mlvu = {
  video: 'order_1.npy',
  duration: 665.3,
  question: 'In which order do they come?',
  candidates: ['1->2->3', '2->1->3'],
  answer: '2->1->3',
  question_type: 'order',
};

it('reads Video-MME, a video an entry or a question an entry', () => {
  const grouped = parseDataset(JSON.stringify([videoMme]), 'set');
  expect(grouped.map(({ video, group, question }) => [video, group, question.type])).toEqual([
    ['scene', 'short', 'Counting Problem'],
    ['scene', 'short', 'Counting Problem'],
  ]);
  expect(grouped[0]!.question.text).toBe(
    'How many shapes are there?\nA. One.\nB. Two.\nC. Three.\nD. Four.\nAnswer with the letter of the right option.',
  );
  expect(grouped.map(({ question }) => ['B', 'C', 'two'].map(question.isRight))).toEqual([
    [true, false, true],
    [false, true, false],
  ]);
  const flat = parseDataset(JSON.stringify([{ ...about, ...one, videoID: undefined }]), 'set');
  expect(flat[0]).toMatchObject({
    video: '001',
    group: 'short',
    question: { text: grouped[0]!.question.text },
  });
});

it('reads MLVU', () => {
  const [entry] = parseDataset(JSON.stringify([mlvu]), 'set');
  expect(entry).toMatchObject({ video: 'order_1.npy', group: '5 to 15 min', question: { type: 'order' } });
  expect(['A', 'B', '2->1->3'].map(entry!.question.isRight)).toEqual([false, true, true]);
});

for (const [entries, message] of [
  [{}, 'set is no list of entries'],
  [[], 'set is no list of entries'],
  [[videoMme, 3], 'set, entry 2 is no object.'],
  [[{ video: 'x' }], "set, entry 1 has neither 'questions' or 'options'"],
  [[{ ...videoMme, duration: undefined }], "set, entry 1: 'duration' is missing; it must be a text."],
  [
    [{ ...about, questions: [one, { ...one, answer: 'E' }] }],
    "entry 1, question 2: 'answer' is 'E', no letter",
  ],
  [[{ ...about, questions: [{ ...one, options: 'A. One.' }] }], `'options' is "A. One."; it must be a list`],
  [[{ ...about, questions: {} }], "set, entry 1: 'questions' is {}; it must be a list."],
  [[mlvu, { ...mlvu, answer: '3->1->2' }], "set, entry 2: 'answer' is '3->1->2', none of its candidates."],
  [[{ ...mlvu, duration: '11:05' }], `set, entry 1: 'duration' is "11:05"; it must be a number.`],
] as const) {
  it(`refuses ${JSON.stringify(entries).slice(0, 60)}: ${message}`, () => {
    expect(() => parseDataset(JSON.stringify(entries), 'set')).toThrow(message);
  });
}

it('refuses what is no JSON, or not there', async () => {
  expect(() => parseDataset('[', 'set')).toThrow('set is no JSON');
  await expect(readDataset(join(folder, 'none.json'), folder, 2)).rejects.toThrow('none.json cannot be read');
});

async function datasetOf(entries: readonly unknown[], framesPerSecond = 2): Promise<Dataset> {
  const path = join(folder, 'set.json');
  await writeFile(path, JSON.stringify(entries));
  return readDataset(path, folder, framesPerSecond);
}

async function framesOf({ exams }: Dataset): Promise<RgbFrame[]> {
  const frames: RgbFrame[] = [];
  for await (const frame of exams[0]!.frames()) frames.push(frame);
  return frames;
}

it('finds arrays of frames, and names the videos that are missing', async () => {
  await writeFile(join(folder, 'order_1.npy'), npyBytes([3, 4, 6, 3]));
  const set = await datasetOf([
    mlvu,
    videoMme,
    { ...mlvu, question: 'Again?' },
    { ...mlvu, video: 'order_2.mp4' },
  ]);
  expect(set.exams.map(({ name, group, questions }) => [name, group, questions.length])).toEqual([
    ['order_1.npy', '5 to 15 min', 2],
  ]);
  expect(set.missing).toEqual([
    { video: 'scene', questions: 2 },
    { video: 'order_2.mp4', questions: 1 },
  ]);
  expect((await framesOf(set)).map(({ width, height }) => [width, height])).toEqual(Array(3).fill([6, 4]));
  const other = await datasetOf([{ ...mlvu, answer: '1->2->3' }]);
  expect(other.suite).not.toBe(set.suite);
  expect((await datasetOf([mlvu], 4)).suite).not.toBe((await datasetOf([mlvu])).suite);
});

it('finds videos by their name without an ending', async ({ skip }) => {
  skip(spawnSync('ffmpeg', ['-version']).error !== undefined, 'no ffmpeg');
  await copyFile(CLIP, join(folder, 'scene.mp4'));
  const set = await datasetOf([videoMme]);
  expect(set.missing).toEqual([]);
  expect(await framesOf(set)).toHaveLength(18); // nine seconds
});
