// An exam: something to watch, and what is asked after its last frame. Clips, streams and the videos of a
// data set are read into this form, and sitting one is the same for all.

import type { RgbFrame, Session } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';

export interface Exam {
  /** Unique within its suite. */
  readonly name: string;
  /** What the report tells apart besides types: the length of the stream, the duration of the video. */
  readonly group: string;
  readonly framesPerSecond: number;
  readonly questions: readonly ExamQuestion[];
  /** Its frames from the first on, read as they are taken. */
  frames(): AsyncIterable<RgbFrame>;
}

export interface ExamQuestion {
  readonly type: string;
  /** Whether it is about the last second or about what came before; absent where a data set does not say. */
  readonly tense?: Tense;
  /** Of the past: seconds before the end by which memory must hold what the answer rests on, if it is one moment. */
  readonly ago?: number;
  readonly text: string;
  isRight(answer: string): boolean;
}

export type Tense = 'present' | 'past';

/** One question as it was answered: what the files of results hold. */
export interface Answer {
  readonly type: string;
  readonly tense?: Tense;
  readonly ago?: number;
  readonly question: string;
  readonly answer: string;
  readonly right: boolean;
}

/** What came of sitting one exam, and what it took. */
export interface Sitting {
  readonly answers: readonly Answer[];
  /** Temporal patches watched. */
  readonly pairs: number;
  readonly prunes: number;
  readonly watchMs: number;
  readonly askMs: number;
}

/** Longest answer read, in tokens: enough for every accepted one, and an end to a model that finds none. */
const MAX_TOKENS = 64;

/**
 * Shows a session an exam from an empty memory and asks its questions, each as if it were the only one.
 * @throws InvalidInputError when it gives no frame, or frames that cannot be read or watched; MemoryFullError when
 *   they or a question have no room.
 */
export async function sit(session: Session, exam: Exam): Promise<Sitting> {
  await session.forget();
  const started = performance.now();
  let frames = 0;
  for await (const frame of exam.frames()) {
    await session.watch(frame, (frames * 1000) / exam.framesPerSecond);
    frames++;
  }
  if (frames === 0) {
    throw new InvalidInputError(
      `${exam.name} gives no frame at ${exam.framesPerSecond} frames a second. Check the video, or take more of them.`,
    );
  }
  await session.flush();
  const watched = performance.now();
  const answers: Answer[] = [];
  for (const { type, tense, ago, text, isRight } of exam.questions) {
    let answer = '';
    const sampling = { maxTokens: MAX_TOKENS };
    for await (const piece of session.ask(text, { remember: false, sampling })) answer += piece;
    answers.push({ type, tense, ago, question: text, answer, right: isRight(answer) });
  }
  return {
    answers,
    pairs: Math.ceil(frames / 2),
    prunes: session.memory().prunes,
    watchMs: Math.round(watched - started),
    askMs: Math.round(performance.now() - watched),
  };
}
