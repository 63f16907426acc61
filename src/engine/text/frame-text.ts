// The text before each frame of a stream. Where times are text, every frame is a video of its own between its own
// markers, and its time stands before them; else the markers are around all frames between two turns.

import { type ConversationPieces, VISION_END, VISION_START } from './chat-template';

/** As long a time as any that is written: for how much room its text may take. */
export const MANY_SECONDS = 99_999.9;

/** Where a frame comes: as the first of all, next to the one before, or behind a turn. */
export type FramePlace = 'first' | 'next' | 'after-turn';

export class FrameText {
  readonly #pieces: ConversationPieces;
  readonly #timeText: ((seconds: number) => string) | undefined;

  /** @param timeText what is written before a frame, if times are text; see `VideoFormat`. */
  constructor(pieces: ConversationPieces, timeText?: (seconds: number) => string) {
    this.#pieces = pieces;
    this.#timeText = timeText;
  }

  /** Whether every frame has text before it. */
  get timed(): boolean {
    return this.#timeText !== undefined;
  }

  /** What opens the conversation, up to what `before` gives for the first frame. */
  get opening(): string {
    return this.timed ? withoutStart(this.#pieces.opening) : this.#pieces.opening;
  }

  /** What stands before a frame. @param seconds since the first frame of all; counts where times are text. */
  before(place: FramePlace, seconds: number): string {
    const timeText = this.#timeText;
    if (!timeText) return place === 'after-turn' ? this.#pieces.beforeFrames : '';
    const lead = { first: '', next: VISION_END, 'after-turn': withoutStart(this.#pieces.beforeFrames) };
    return `${lead[place]}${timeText(seconds)}${VISION_START}`;
  }
}

function withoutStart(piece: string): string {
  return piece.slice(0, piece.length - VISION_START.length);
}
