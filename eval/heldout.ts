// Held-out clips with questions and accepted answers, and how many a session answers right.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from '../src/engine/contract';
import { type Answer, type Exam, sit, type Tense } from './exam';
import { stripFrames } from './strips';
import { type SentenceQuestion, sentenceQuestion, type WrittenQuestion } from './written-question';

/** A clip of `eval/heldout`. */
export interface HeldoutClip extends Exam {
  readonly frameCount: number;
  readonly questions: readonly SentenceQuestion[];
}

/** `questions.json`: of each clip a vertical strip of square frames, and what is asked after its last one. */
type QuestionsFile = readonly {
  readonly clip: string;
  readonly frames: number;
  readonly framesPerSecond: number;
  readonly questions: readonly WrittenQuestion[];
}[];

/** One question with the answer a session gave. */
export interface ScoredAnswer extends Answer {
  readonly tense: Tense;
  readonly accepted: readonly string[];
  readonly clip: string;
}

/** The clips listed in a folder's questions.json. Frames are read from the strips when they are asked for. */
export async function readHeldout(folder: string): Promise<HeldoutClip[]> {
  const file = JSON.parse(await readFile(join(folder, 'questions.json'), 'utf8')) as QuestionsFile;
  return file.map(({ clip, frames, framesPerSecond, questions }) => ({
    name: clip,
    group: `${frames / framesPerSecond} s`,
    framesPerSecond,
    frameCount: frames,
    questions: questions.map(sentenceQuestion),
    async *frames() {
      yield* await stripFrames(join(folder, clip), frames);
    },
  }));
}

/**
 * Has a session sit each clip.
 * @param tense asks only about the present, or only about the past.
 */
export async function* scoreHeldout(
  session: Session,
  clips: readonly HeldoutClip[],
  tense?: Tense,
): AsyncGenerator<ScoredAnswer, void> {
  for (const clip of clips) {
    const questions = clip.questions.filter((question) => !tense || question.tense === tense);
    const { answers } = await sit(session, { ...clip, questions });
    for (const [i, { tense, accepted }] of questions.entries()) {
      yield { ...answers[i]!, tense, accepted, clip: clip.name };
    }
  }
}

/** Right and asked for each tense and type, tenses first. */
export function tally(answers: readonly ScoredAnswer[]): { name: string; right: number; asked: number }[] {
  const rows = new Map<string, { name: string; right: number; asked: number }>();
  const count = (name: string, right: boolean) => {
    const row = rows.get(name) ?? { name, right: 0, asked: 0 };
    rows.set(name, { name, right: row.right + Number(right), asked: row.asked + 1 });
  };
  for (const { tense, right } of answers) count(tense, right);
  for (const { tense, type, right } of answers) count(`${tense}: ${type}`, right);
  return [...rows.values()];
}
