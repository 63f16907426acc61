// Whether an endless stream stays as cheap as it began: one session watches for an hour of its own clock, as fast
// as it goes. After some minutes of it another session is opened, watches its first minute, and from then on
// the two take turns, pair by pair and question by question. So both are measured under the same load of the
// machine, and what the old one is slower by is due to its age.

import type { RetentionChoice } from '../cli/retention';
import type { PositionPolicy, Session } from '../src/engine/contract';
import { createSession } from '../src/engine/session';
import type { SessionOptions } from '../src/engine/session-options';
import { type BufferCount, countBuffers } from './buffer-count';
import { collectGarbage, type Median, median, medianInterval } from './measure';
import { MovingScene } from './scene';

export interface StreamOptions
  extends Pick<SessionOptions, 'model' | 'mmproj' | 'frame' | 'trainedPositions'> {
  /** Opens WebGPU anew: each session has its own device, and its own count of buffers. */
  readonly openGpu: () => Promise<GPU>;
  readonly source: { readonly width: number; readonly height: number };
  readonly framesPerSecond: number;
  readonly minutes: number;
  readonly policy: RetentionChoice;
  readonly positions?: PositionPolicy;
  readonly budgetTokens: number;
  readonly textTokens: number;
  /** Told after each minute of the stream, and what was measured in it, if anything. */
  readonly onMinute: (minutes: number, measured?: StreamMinute) => void;
}

/** What the old session's runs cost, beside those of the one that has just watched its first minute. */
export interface Compared {
  readonly old: RunCost;
  readonly fresh: RunCost;
  /** The middle ones of old / fresh, each of two runs next to each other. */
  readonly ratio: Median;
  readonly cpuRatio: Median;
  readonly runs: number;
}

export interface RunCost {
  /** Of the run in the middle, and of the fastest. */
  readonly ms: number;
  readonly leastMs: number;
  /**
   * Processor time of this process, of the run in the middle. On a software adapter that is the GPU's work, too, and
   * other programs on the machine hardly add to it.
   */
  readonly cpuMs: number;
}

/** How the session stood after so many minutes, and how long the minute after that took. */
export interface StreamMinute {
  readonly minutes: number;
  readonly framesSeen: number;
  readonly framesDropped: number;
  readonly prunes: number;
  readonly visualTokens: number;
  readonly dialogueTokens: number;
  /** What the ledger says is held. */
  readonly gpuBytes: number;
  /** Created on the device since the session was loaded, by whomever. */
  readonly grown: BufferCount;
  /** JavaScript's heap after a collection; the whole process, which on a software adapter is the GPU's memory too. */
  readonly heapBytes: number;
  readonly processBytes: number;
  readonly pair: Compared;
  readonly question: Compared;
}

export interface StreamReport {
  /** Its name. */
  readonly policy: string;
  readonly positions: PositionPolicy;
  readonly budgetTokens: number;
  readonly textTokens: number;
  readonly framesPerSecond: number;
  /** Created on the device by loading. */
  readonly loaded: BufferCount;
  readonly minutes: readonly StreamMinute[];
  /** The last of `minutes` against the first, by the old session alone: the machine's load is in it. */
  readonly lastToFirst: { readonly pair: number; readonly question: number };
}

const CHECKPOINTS = [1, 10, 30, 60];

const QUESTION = 'What do you see?';
/** Asked beside a fresh session. */
const QUESTIONS_A_PAIR = 2;
/** Of answers that stay in the conversation. */
const ANSWER_TOKENS = 16;
/** About as long as the question and such an answer: fills a conversation without the time that answers take. */
const LONG_QUESTION = Array(3).fill(QUESTION).join(' ');

const SEED = 60;

/** @throws what `createSession` throws; two sessions must fit. */
export async function measureStream(options: StreamOptions): Promise<StreamReport> {
  const viewer = await Viewer.open(options);
  try {
    const minutes: StreamMinute[] = [];
    for (const after of [...CHECKPOINTS.filter((minute) => minute < options.minutes), options.minutes]) {
      while (viewer.minutes < after) {
        await viewer.minute();
        options.onMinute(viewer.minutes);
      }
      const stand = viewer.stand();
      const measured = { ...stand, ...(await besideFresh(viewer, options)) };
      minutes.push(measured);
      options.onMinute(viewer.minutes, measured);
    }
    const [first, last] = [minutes[0]!, minutes.at(-1)!];
    const { policy, budgetTokens, textTokens, framesPerSecond } = options;
    return {
      ...{ policy: policy.name, positions: viewer.positions, budgetTokens, textTokens, framesPerSecond },
      loaded: viewer.loaded,
      minutes,
      lastToFirst: {
        pair: last.pair.old.ms / first.pair.old.ms,
        question: last.question.old.ms / first.question.old.ms,
      },
    };
  } finally {
    viewer.dispose();
  }
}

/** One more minute, in turns with a session that has watched one. */
async function besideFresh(
  old: Viewer,
  options: StreamOptions,
): Promise<Pick<StreamMinute, 'pair' | 'question'>> {
  const fresh = await Viewer.open(options);
  try {
    await fresh.minute();
    const pairs: Both[] = [];
    const questions: Both[] = [];
    while (pairs.length < old.pairsAMinute) {
      pairs.push(await inTurns(pairs.length, old, fresh, (viewer) => viewer.pair()));
      for (let i = 0; i < QUESTIONS_A_PAIR; i++) {
        questions.push(await inTurns(questions.length, old, fresh, (viewer) => viewer.question()));
      }
    }
    await old.converse();
    return { pair: compare(pairs), question: compare(questions) };
  } finally {
    fresh.dispose();
  }
}

/** One run, or several together. */
interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Two runs next to each other. */
interface Both {
  readonly old: Cost;
  readonly fresh: Cost;
}

/** Every other time the fresh session goes first, for the second may find caches cold or warm. */
async function inTurns(
  turn: number,
  old: Viewer,
  fresh: Viewer,
  run: (viewer: Viewer) => Promise<Cost>,
): Promise<Both> {
  if (turn % 2 === 0) return { old: await run(old), fresh: await run(fresh) };
  const first = await run(fresh);
  return { old: await run(old), fresh: first };
}

function compare(both: readonly Both[]): Compared {
  return {
    old: summary(both.map(({ old }) => old)),
    fresh: summary(both.map(({ fresh }) => fresh)),
    ratio: medianInterval(both.map(({ old, fresh }) => old.ms / fresh.ms)),
    cpuRatio: medianInterval(both.map(({ old, fresh }) => old.cpuMs / fresh.cpuMs)),
    runs: both.length,
  };
}

function summary(runs: readonly Cost[]): RunCost {
  const ms = runs.map((run) => run.ms);
  return { ms: median(ms), leastMs: Math.min(...ms), cpuMs: median(runs.map(({ cpuMs }) => cpuMs)) };
}

async function costOf(run: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage();
  const start = performance.now();
  await run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** A session and the scene that it watches. */
class Viewer {
  readonly pairsAMinute: number;
  readonly loaded: BufferCount;
  readonly #session: Session;
  readonly #created: () => BufferCount;
  readonly #scene: MovingScene;
  readonly #framesPerSecond: number;
  #frames = 0;

  private constructor(session: Session, created: () => BufferCount, options: StreamOptions) {
    this.pairsAMinute = Math.max(1, Math.round(options.framesPerSecond * 30));
    this.loaded = created();
    this.#session = session;
    this.#created = created;
    this.#scene = new MovingScene(options.source, SEED);
    this.#framesPerSecond = options.framesPerSecond;
  }

  /** A session whose conversation is as long as it will ever be: how long the stream is shall be all that differs. */
  static async open(options: StreamOptions): Promise<Viewer> {
    const { model, mmproj, frame, trainedPositions, positions, source } = options;
    const { budgetTokens: tokens, textTokens } = options;
    const gpu = await options.openGpu();
    const created = countBuffers(gpu);
    const session = await createSession({
      ...{ gpu, model, mmproj, frame, trainedPositions },
      memory: { ...options.policy.how, positions, budget: { tokens }, capacityTokens: tokens, textTokens },
      maxRgbPixels: source.width * source.height,
    });
    const viewer = new Viewer(session, created, options);
    await viewer.pair();
    for (let before = -1; before < session.memory().dialogueTokens; ) {
      before = session.memory().dialogueTokens;
      await viewer.#ask(LONG_QUESTION, true, 1);
    }
    return viewer;
  }

  /** Whole minutes watched. */
  get minutes(): number {
    return Math.floor(this.#frames / 2 / this.pairsAMinute);
  }

  /** How rotary positions go on: what was asked for, or the session's own choice. */
  get positions(): PositionPolicy {
    return this.#session.memory().positions;
  }

  dispose(): void {
    this.#session.dispose();
  }

  /** Watches until the next whole minute, and asks something. */
  async minute(): Promise<void> {
    for (const next = this.minutes + 1; this.minutes < next; ) await this.pair();
    await this.converse();
  }

  /** Watches two more frames, until they are in memory. */
  async pair(): Promise<Cost> {
    const first = await this.#watchNext();
    const second = await this.#watchNext();
    return { ms: first.ms + second.ms, cpuMs: first.cpuMs + second.cpuMs };
  }

  /** From a question to its first token; the conversation is none longer. */
  question(): Promise<Cost> {
    return costOf(() => this.#ask(QUESTION, false, 1));
  }

  /** One more turn of the conversation, for which the oldest go when there is no room. */
  converse(): Promise<void> {
    return this.#ask(QUESTION, true, ANSWER_TOKENS);
  }

  stand(): Omit<StreamMinute, 'pair' | 'question'> {
    const { framesSeen, framesDropped, prunes, visualTokens, dialogueTokens, gpuBytes } =
      this.#session.memory();
    const created = this.#created();
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    return {
      minutes: this.minutes,
      ...{ framesSeen, framesDropped, prunes, visualTokens, dialogueTokens, gpuBytes },
      grown: {
        buffers: created.buffers - this.loaded.buffers,
        bytes: created.bytes - this.loaded.bytes,
      },
      heapBytes: heapUsed,
      processBytes: rss,
    };
  }

  #watchNext(): Promise<Cost> {
    const picture = this.#scene.next();
    const timestampMs = (this.#frames++ * 1000) / this.#framesPerSecond;
    return costOf(() => this.#session.watch(picture, timestampMs));
  }

  async #ask(question: string, remember: boolean, maxTokens: number): Promise<void> {
    for await (const _ of this.#session.ask(question, { remember, sampling: { maxTokens } }));
  }
}
