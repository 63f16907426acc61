// The text around the frames of a stream. In some families every frame is a video of its own, between its own words
// and markers; else the template's markers are around all frames between two turns.

import { type ConversationPieces, VISION_END, VISION_START } from './chat-template';

/** What stands around the temporal patches of a video, where each is one of its own. */
export interface FrameWords {
  /** Before each, markers included; `seconds` is the time of the middle of it. */
  readonly before: (seconds: number) => string;
  /** Behind each. */
  readonly after: string;
  /** Before the first of a user's turn, and behind the last. */
  readonly intro?: string;
  readonly outro?: string;
}

/** As long a time as any that is written: for how much room its text may take. */
export const MANY_SECONDS = 99_999.9;

/** Where a frame comes: as the first of all, next to the one before, or behind a turn. */
export type FramePlace = 'first' | 'next' | 'after-turn';

export class FrameText {
  readonly #pieces: ConversationPieces;
  readonly #words: FrameWords | undefined;
  readonly #ending: string;

  /**
   * @param words of a family in which every frame is a video of its own.
   * @param ending a pad that ends a video, in families that have one.
   */
  constructor(pieces: ConversationPieces, words?: FrameWords, ending = '') {
    this.#pieces = pieces;
    this.#words = words;
    this.#ending = ending;
  }

  /** Whether every frame has text before it. */
  get eachFrame(): boolean {
    return this.#words !== undefined;
  }

  /** What opens the conversation, up to what `before` gives for the first frame. */
  get opening(): string {
    return this.#words ? introduced(this.#pieces.opening, this.#words) : this.#pieces.opening;
  }

  /** What stands before a frame. @param seconds since the first frame of all, for families that write it. */
  before(place: FramePlace, seconds: number): string {
    const { beforeFrames } = this.#pieces;
    const words = this.#words;
    if (!words) return place === 'after-turn' ? beforeFrames : '';
    const lead = { first: '', next: words.after, 'after-turn': introduced(beforeFrames, words) };
    return `${lead[place]}${words.before(seconds)}`;
  }

  /** What ends frames, when a question comes. */
  get closing(): string {
    const { afterFrames } = this.#pieces;
    if (!this.#words) return `${this.#ending}${afterFrames}`;
    return `${this.#words.after}${afterFrames.startsWith(VISION_END) ? afterFrames.slice(VISION_END.length) : afterFrames}`;
  }

  /** White space after that, to be encoded with the question. */
  get leadAfterFrames(): string {
    return `${this.#words?.outro ?? ''}${this.#pieces.leadAfterFrames}`;
  }
}

/** What leads up to frames, without the marker of the template's own, and with the family's words if it has any. */
function introduced(piece: string, { intro }: FrameWords): string {
  const unmarked = piece.endsWith(VISION_START) ? piece.slice(0, piece.length - VISION_START.length) : piece;
  // A template that knows images alone may end without the space that it puts before words.
  return intro === undefined ? unmarked : `${unmarked.trimEnd()} ${intro}`;
}
