// Which text of the conversation can be let go, and in what order: whole turns, oldest first. Pure
// bookkeeping over sequence numbers; the ring does the releasing.

import type { SeqRange } from './memory/seq-range';

/** Turns with no frames between them, and the tokens that close the frames before and open those after. */
export interface Exchange {
  closing?: SeqRange;
  turns: SeqRange[];
  opening?: SeqRange;
}

/**
 * The turns held in memory. Between frames stands: [vision end] question answer … question answer
 * [vision start]. While turns of an exchange remain, its markers must; when the last has gone they go too, and
 * the frames before and after become one video.
 */
export class Dialogue {
  #exchanges: Exchange[] = [];

  /** All that would go if every turn went. */
  get releasable(): SeqRange[] {
    return this.#exchanges.flatMap(({ closing, turns, opening }) =>
      opening ? [...(closing ? [closing] : []), ...turns, opening] : turns,
    );
  }

  clear(): void {
    this.#exchanges = [];
  }

  /** All there is to save, oldest first. */
  get state(): readonly Exchange[] {
    return structuredClone(this.#exchanges);
  }

  restore(state: readonly Exchange[]): void {
    this.#exchanges = structuredClone([...state]);
  }

  /** Text that ended the frames; what follows are turns. */
  closeFrames(range: SeqRange): void {
    this.#exchanges.push({ closing: range, turns: [] });
  }

  /** A finished turn, question and answer. */
  addTurn(range: SeqRange): void {
    const last = this.#exchanges.at(-1);
    if (last && !last.opening) last.turns.push(range);
    else this.#exchanges.push({ turns: [range] });
  }

  /** Text between two frames of one video. */
  separate(range: SeqRange): void {
    this.#exchanges.push({ turns: [], opening: range });
  }

  /** Lets go of the oldest texts between frames until `most` are left. */
  dropSeparators(most: number): SeqRange[] {
    const separators = this.#exchanges.filter(
      ({ closing, turns, opening }) => !closing && turns.length === 0 && opening,
    );
    const dropped = separators.slice(0, Math.max(0, separators.length - most));
    this.#exchanges = this.#exchanges.filter((exchange) => !dropped.includes(exchange));
    return dropped.map(({ opening }) => opening!);
  }

  /** Text that opened the next frames. */
  openFrames(range: SeqRange): void {
    const last = this.#exchanges.at(-1);
    if (last) last.opening = range;
  }

  /**
   * Takes the oldest turn out and returns all that goes with it; nothing where nothing can go. Markers whose
   * turns have gone before (the question after them was not to be remembered) count as a turn.
   */
  dropOldest(): SeqRange[] {
    const index = this.#exchanges.findIndex(({ turns, opening }) => turns.length > 0 || opening);
    const exchange = this.#exchanges[index];
    if (!exchange) return [];
    const dropped = exchange.turns.splice(0, 1);
    if (exchange.turns.length === 0 && exchange.opening) {
      if (exchange.closing) dropped.push(exchange.closing);
      dropped.push(exchange.opening);
      this.#exchanges.splice(index, 1);
    }
    return dropped;
  }
}
