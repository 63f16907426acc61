// The conversation: questions wait here until the model is ready, there is something to ask about and the answer
// before is done; then they are asked one by one. About a file they wait for its end, since "what happened last"
// means its last scene and not the newest frame; the user can have them answered before. Nothing typed is ever lost.
import type { AnswerEnd } from '../../../workers/protocol';
import { DeviceLostError, MemoryFullError, OutOfMemoryError } from '../../engine/errors';
import type { EngineControl } from './engine-control';
import { engineProblem, memoryFullProblem, messageOf, type Problems } from './problems';
import { Store } from './store';
import { fileUnderWay, type WatchControl } from './watch-control';

/** A question and what became of it. */
export interface Turn {
  readonly kind: 'turn';
  readonly id: number;
  readonly question: string;
  readonly phase: 'queued' | 'answering' | 'done' | 'stopped' | 'failed';
  /** Whether it is not to wait for the end of a file. */
  readonly hurried: boolean;
  readonly answer: string;
  /** Why it failed. */
  readonly failure: string | null;
  /** What was on view when it was asked, and how far. */
  readonly askedOf: string | null;
  readonly askedAtMs: number;
  readonly end: AnswerEnd | null;
}

/** A note between turns: a new source, an emptied memory. */
export interface Marker {
  readonly kind: 'marker';
  readonly id: number;
  readonly text: string;
}

export interface ConversationState {
  readonly entries: readonly (Turn | Marker)[];
}

/** The conversation of this page. */
export class ConversationControl extends Store<ConversationState> {
  readonly #engine: EngineControl;
  readonly #problems: Problems;
  #watching: WatchControl | null = null;
  #nextId = 1;

  constructor(engine: EngineControl, problems: Problems) {
    super({ entries: [] });
    this.#engine = engine;
    this.#problems = problems;
    engine.subscribe(() => this.#advance());
  }

  /** Tells whose pictures the questions are about. */
  about(watching: WatchControl): void {
    this.#watching = watching;
    watching.subscribe(() => this.#advance());
  }

  /** Takes a question, to be asked as soon as it can be answered. */
  ask(question: string): void {
    const turn: Turn = {
      kind: 'turn',
      id: this.#nextId++,
      question,
      phase: 'queued',
      hurried: false,
      answer: '',
      failure: null,
      askedOf: null,
      askedAtMs: 0,
      end: null,
    };
    this.set({ entries: [...this.get().entries, turn] });
    this.#advance();
  }

  /** Has a waiting question answered from what was seen so far, before a file has come to its end. */
  hurry(id: number): void {
    this.#change(id, { hurried: true });
    this.#advance();
  }

  /**
   * Ends the answer in progress where it stands. Without one, takes back the newest question still waiting.
   * @returns the question taken back, or null.
   */
  stop(): string | null {
    const turns = this.get().entries.filter((entry) => entry.kind === 'turn');
    if (turns.some((turn) => turn.phase === 'answering')) {
      // A lost engine ends the answer by itself.
      this.#engine
        .get()
        .client?.stop()
        .catch(() => {});
      return null;
    }
    const waiting = turns.findLast((turn) => turn.phase === 'queued');
    if (!waiting) return null;
    this.set({ entries: this.get().entries.filter((entry) => entry !== waiting) });
    return waiting.question;
  }

  /** Adds a note to the conversation. */
  mark(text: string): void {
    this.set({ entries: [...this.get().entries, { kind: 'marker', id: this.#nextId++, text }] });
  }

  #advance(): void {
    const { client } = this.#engine.get();
    const watched = this.#watching?.get();
    if (!client || !watched?.seen) return;
    const turns = this.get().entries.filter((entry) => entry.kind === 'turn');
    if (turns.some((turn) => turn.phase === 'answering')) return;
    const waits = fileUnderWay(watched);
    const next = turns.find((turn) => turn.phase === 'queued' && (turn.hurried || !waits));
    if (next) void this.#answer(next, client.ask.bind(client));
  }

  async #answer(
    { id, question }: Turn,
    ask: (question: string, onText: (piece: string) => void) => Promise<AnswerEnd>,
  ): Promise<void> {
    const { name = '', positionMs = 0 } = this.#watching?.get() ?? {};
    this.#change(id, { phase: 'answering', askedOf: name, askedAtMs: positionMs });
    let answer = '';
    try {
      const end = await ask(question, (piece) => {
        answer += piece;
        this.#change(id, { answer });
      });
      this.#change(id, { phase: end.stopped ? 'stopped' : 'done', answer: end.text, end });
    } catch (error) {
      this.#change(id, { phase: 'failed', failure: messageOf(error) });
      this.#report(error);
    }
    this.#advance();
  }

  #report(error: unknown): void {
    if (error instanceof DeviceLostError) return;
    if (error instanceof OutOfMemoryError)
      this.#problems.show('engine', engineProblem(error, this.#engine.bundled));
    if (error instanceof MemoryFullError) this.#problems.show('memory', memoryFullProblem(error));
  }

  #change(id: number, change: Partial<Turn>): void {
    this.set({
      entries: this.get().entries.map((entry) =>
        entry.kind === 'turn' && entry.id === id ? { ...entry, ...change } : entry,
      ),
    });
  }
}
