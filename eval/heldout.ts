// Held-out clips with questions and accepted answers, and how many a session answers right. An answer counts
// only if the whole sentence is one of the accepted ones.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from '../src/engine/contract';
import { stripFrames } from './strips';

/** A clip of `eval/heldout`: a vertical strip of square frames, and what is asked after its last one. */
export interface HeldoutClip {
  readonly clip: string;
  readonly frames: number;
  readonly framesPerSecond: number;
  readonly questions: readonly HeldoutQuestion[];
}

export interface HeldoutQuestion {
  readonly type: string;
  readonly tense: 'present' | 'past';
  readonly question: string;
  readonly accepted: readonly string[];
}

/** One question with the answer a session gave. */
export interface ScoredAnswer extends HeldoutQuestion {
  readonly clip: string;
  readonly answer: string;
  readonly right: boolean;
}

/** The clips listed in a folder's questions.json. */
export async function readHeldout(folder: string): Promise<HeldoutClip[]> {
  return JSON.parse(await readFile(join(folder, 'questions.json'), 'utf8'));
}

/**
 * Shows a session each clip from an empty memory and asks its questions, each as if it were the only one.
 * @param tense asks only about the present, or only about the past.
 */
export async function* scoreHeldout(
  session: Session,
  folder: string,
  clips: readonly HeldoutClip[],
  tense?: HeldoutQuestion['tense'],
): AsyncGenerator<ScoredAnswer, void> {
  for (const clip of clips) {
    await session.forget();
    let time = 0;
    for (const frame of await stripFrames(join(folder, clip.clip), clip.frames)) {
      await session.watch(frame, time);
      time += 1000 / clip.framesPerSecond;
    }
    for (const question of clip.questions) {
      if (tense && question.tense !== tense) continue;
      let answer = '';
      for await (const piece of session.ask(question.question, { remember: false })) answer += piece;
      yield { ...question, clip: clip.clip, answer, right: question.accepted.includes(answer.trim()) };
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
