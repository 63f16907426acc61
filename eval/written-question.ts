// Questions as Toybox's scripts wrote them, of clips and of streams alike: with every sentence that is right.

import type { ExamQuestion, Tense } from './exam';

/** A question as it stands in a file. */
export interface WrittenQuestion {
  readonly type: string;
  readonly tense: Tense;
  readonly question: string;
  readonly accepted: readonly string[];
  readonly ago?: number;
}

/** The same as an exam asks it. */
export interface SentenceQuestion extends ExamQuestion {
  readonly tense: Tense;
  readonly accepted: readonly string[];
}

/** An answer to it is right only if the whole sentence is one of the accepted ones. */
export function sentenceQuestion({ question, ...rest }: WrittenQuestion): SentenceQuestion {
  return { ...rest, text: question, isRight: (answer) => rest.accepted.includes(answer.trim()) };
}
