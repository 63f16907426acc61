// Multiple-choice sets from disk, in two layouts:
//
// - Video-MME: entries {videoID, video_id, duration: "short", …} with `questions`, or one entry a question;
//   a question is {question, options: ["A. …", …], answer: "A", task_type}.
// - MLVU: one entry a question, {video: "name.mp4", duration: seconds, question, candidates, answer: the right
//   candidate, question_type}.
//
// The sets themselves are not part of Ringside.

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { readFrames } from '../cli/frames';
import { videoFrames } from '../cli/video';
import { InvalidInputError } from '../src/engine/errors';
import { bareOption, choicePrompt, MAX_OPTIONS, readChoice } from './choice';
import type { Exam, ExamQuestion } from './exam';

/** Frames are scaled down to this many pixels on the longer side before they reach the engine. */
export const LONGEST_SIDE = 640;

/** Looked for when a set names a video without its ending, in this order. */
const ENDINGS = ['.mp4', '.mkv', '.webm', '.mov', '.avi', '.npy'];

export interface Dataset {
  /** Name and fingerprint of the questions, and the frames a second at which its videos are watched. */
  readonly suite: string;
  /** One a video that is there. */
  readonly exams: readonly Exam[];
  /** Videos that are not there, with the number of questions that cannot be asked for it. */
  readonly missing: readonly { readonly video: string; readonly questions: number }[];
}

/**
 * Reads a set and looks for its videos.
 * @param folder where they lie: as they are named, or by that name with a usual ending, .npy among them.
 * @throws InvalidInputError naming the entry and the field that is wrong, or a folder that is not there.
 */
export async function readDataset(path: string, folder: string, framesPerSecond: number): Promise<Dataset> {
  const name = basename(path);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InvalidInputError(`${name} cannot be read at ${path}. Check the path.`, { cause });
  });
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw new InvalidInputError(`There is no folder of videos at ${folder}. Check the path.`);
  }
  const videos = new Map<string, { group: string; questions: ExamQuestion[] }>();
  for (const { video, group, question } of parseDataset(text, name)) {
    const entry = videos.get(video) ?? { group, questions: [] };
    videos.set(video, entry);
    entry.questions.push(question);
  }
  const exams: Exam[] = [];
  const missing: { video: string; questions: number }[] = [];
  for (const [video, { group, questions }] of videos) {
    const file = await findVideo(folder, video);
    if (!file) {
      missing.push({ video, questions: questions.length });
      continue;
    }
    const frames = () => framesOf(file, framesPerSecond);
    exams.push({ name: video, group, framesPerSecond, questions, frames });
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return { suite: `${name} ${hash} at ${framesPerSecond} fps`, exams, missing };
}

async function* framesOf(file: string, framesPerSecond: number) {
  if (extname(file) === '.npy') yield* await readFrames(file);
  else yield* videoFrames(file, framesPerSecond, LONGEST_SIDE);
}

async function findVideo(folder: string, video: string): Promise<string | undefined> {
  for (const ending of ['', ...ENDINGS]) {
    const path = join(folder, video + ending);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}

/** One question of a set, with the video it is about. */
export interface DatasetQuestion {
  readonly video: string;
  readonly group: string;
  readonly question: ExamQuestion;
}

/** The questions of a set's JSON. @throws InvalidInputError naming the entry and the field that is wrong. */
export function parseDataset(text: string, name: string): DatasetQuestion[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (cause) {
    throw new InvalidInputError(`${name} is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new InvalidInputError(`${name} is no list of entries, as those of Video-MME and MLVU are.`);
  }
  return entries.flatMap((value, i) => {
    const entry = new Entry(value, `${name}, entry ${i + 1}`);
    if (entry.has('candidates')) return [mlvuQuestion(entry)];
    if (entry.has('options')) return [videoMmeQuestion(entry, entry)];
    if (entry.has('questions')) return entry.entries('questions').map((one) => videoMmeQuestion(entry, one));
    throw new InvalidInputError(
      `${entry.where} has neither 'questions' or 'options', as in Video-MME, nor 'candidates', as in MLVU.`,
    );
  });
}

/** @param about the entry with the video's fields, `one` that with the question's; they may be the same. */
function videoMmeQuestion(about: Entry, one: Entry): DatasetQuestion {
  const options = one.options('options').map(bareOption);
  const letter = one.text('answer');
  const right = /^[A-Z]$/.test(letter) ? letter.charCodeAt(0) - 'A'.charCodeAt(0) : -1;
  if (right < 0 || right >= options.length) {
    throw new InvalidInputError(
      `${one.where}: 'answer' is '${letter}', no letter of its ${options.length} options.`,
    );
  }
  return {
    video: about.text(about.has('videoID') ? 'videoID' : 'video_id'),
    group: about.text('duration'),
    question: choice(one.text('task_type'), one.text('question'), options, right),
  };
}

function mlvuQuestion(entry: Entry): DatasetQuestion {
  const options = entry.options('candidates');
  const answer = entry.text('answer');
  const right = options.indexOf(answer);
  if (right < 0)
    throw new InvalidInputError(`${entry.where}: 'answer' is '${answer}', none of its candidates.`);
  return {
    video: entry.text('video'),
    group: durationClass(entry.number('duration')),
    question: choice(entry.text('question_type'), entry.text('question'), options, right),
  };
}

function choice(type: string, question: string, options: readonly string[], right: number): ExamQuestion {
  return {
    type,
    text: choicePrompt(question, options),
    isRight: (answer) => readChoice(answer, options) === right,
  };
}

function durationClass(seconds: number): string {
  const minutes = seconds / 60;
  if (minutes < 5) return 'under 5 min';
  if (minutes < 15) return '5 to 15 min';
  return minutes < 60 ? '15 to 60 min' : '60 min or more';
}

/** An object of a set's JSON whose fields are checked as they are read. */
class Entry {
  readonly where: string;
  readonly #fields: Record<string, unknown>;

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new InvalidInputError(`${where} is no object.`);
    }
    this.#fields = value as Record<string, unknown>;
    this.where = where;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value === 'string' && value.trim()) return value;
    throw this.#wrong(name, 'a text');
  }

  number(name: string): number {
    const value = this.#fields[name];
    if (typeof value === 'number' && value >= 0) return value;
    throw this.#wrong(name, 'a number');
  }

  options(name: string): string[] {
    const value = this.#fields[name];
    const fits = Array.isArray(value) && value.length >= 2 && value.length <= MAX_OPTIONS;
    if (fits && value.every((one) => typeof one === 'string')) return value;
    throw this.#wrong(name, `a list of 2 to ${MAX_OPTIONS} texts`);
  }

  entries(name: string): Entry[] {
    const value = this.#fields[name];
    if (!Array.isArray(value)) throw this.#wrong(name, 'a list');
    return value.map((one, i) => new Entry(one, `${this.where}, question ${i + 1}`));
  }

  #wrong(name: string, wanted: string): InvalidInputError {
    const found = this.has(name) ? `is ${JSON.stringify(this.#fields[name]).slice(0, 60)}` : 'is missing';
    return new InvalidInputError(`${this.where}: '${name}' ${found}; it must be ${wanted}.`);
  }
}
