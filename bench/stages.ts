// The stages of watching and asking, each timed by itself with the GPU idle before and after, at a full ring;
// then watching and decoding at full speed, as a session runs them. Uses the engine below the session, which
// never waits.

import type { RetentionChoice } from '../cli/retention';
import type { RgbFrame } from '../src/engine/contract';
import { framePositions, textPositions } from '../src/engine/decoder/rotary';
import { submit } from '../src/engine/gpu/program';
import { pruneTarget } from '../src/engine/memory/budget';
import { NEVER } from '../src/engine/memory/positions';
import type { Model } from '../src/engine/model';
import { continueGreedily } from '../src/engine/prompt';
import { median, timed } from './measure';

/** What a stage took. */
export interface StageTime {
  readonly stage: string;
  /** Of the run in the middle, and of the fastest, which other programs on the machine disturbed least. */
  readonly ms: number;
  readonly leastMs: number;
  /** Tokens that one run is about; none where they mean nothing. */
  readonly tokens?: number;
  readonly runs: number;
}

export interface StageReport {
  readonly stages: readonly StageTime[];
  readonly framePairsPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly firstTokenMs: number;
  readonly prunes: readonly PruneCost[];
}

/** What prunes by one policy cost. */
export interface PruneCost {
  /** Its name. */
  readonly policy: string;
  readonly ms: number;
  readonly leastMs: number;
  readonly runs: number;
  /** Pairs of frames watched between two prunes. */
  readonly pairsBetween: number;
  /** Part of the time of watching that prunes take, by the fastest runs. */
  readonly share: number;
}

/** Where keys stand, if all frames are one video; where they really do makes no difference to the time. */
export const ONE_VIDEO = [{ first: 0, shift: 0, zeroBefore: 0, zeroAfter: NEVER }];

/** Of watching one pair of frames. */
const PAIR_STAGES = ['preprocess', 'encode', 'prefill'];
const PRUNES = 3;

const QUESTION = 'What do you see?';
const QUESTION_RUNS = 3;
/** Tokens of an answer. */
export const ANSWER_TOKENS = 32;
const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0, maxTokens: 0 };

/** Room for text that {@link Bench} needs. */
export const BENCH_TEXT_TOKENS = 256;

/** A loaded model, fed with one picture over and over. */
export class Bench {
  readonly #model: Model;
  readonly #picture: RgbFrame;
  readonly #times = new Map<string, number[]>();
  readonly #tokens = new Map<string, number>();
  #pairs = 0;
  #nextPosition = 0;

  constructor(model: Model, source: { readonly width: number; readonly height: number }) {
    this.#model = model;
    const data = new Uint8Array(source.width * source.height * 3);
    for (let i = 0; i < data.length; i++) data[i] = (Math.imul(i, 0x9e3779b1) >>> 24) & 255;
    this.#picture = { ...source, data };
  }

  /** Opens the conversation, fills the ring until it has pruned once, and answers: every kernel has run. */
  async warmUp(): Promise<void> {
    const model = this.#model;
    const opening = model.tokenizer.encode(model.conversation.opening, { parseSpecial: true });
    await this.#question(opening);
    while (model.ring.prunes === 0) await this.pair();
    await this.answer(2);
    this.#times.clear();
  }

  /** Watches one pair of frames, stage by stage. */
  async pair(): Promise<void> {
    await this.#time('prune', () => this.#makeRoom());
    await this.#time('preprocess', () => this.#preprocess());
    await this.#time('encode', () => this.#encode());
    await this.#time('prefill', () => this.#prefill());
  }

  /** Asks and decodes; the ring is left as it was. @returns milliseconds to the first token, and of the others. */
  async answer(tokens: number): Promise<{ firstMs: number; restMs: number }> {
    const model = this.#model;
    const { afterFrames, afterQuestion } = model.conversation;
    const special = (piece: string) => model.tokenizer.encode(piece, { parseSpecial: true });
    const ids = [...special(afterFrames), ...model.tokenizer.encode(QUESTION), ...special(afterQuestion)];
    const position = this.#nextPosition;
    const first = await timed(model.gpu.device, () => this.#question(ids));
    const end = { firstId: first.made, nextPosition: this.#nextPosition };
    const rest = await timed(model.gpu.device, () => continueGreedily(model, end, tokens));
    model.ring.rollback(ids.length + tokens - 1);
    this.#nextPosition = position;
    this.#note('question', first.ms, ids.length);
    return { firstMs: first.ms, restMs: rest.ms };
  }

  /**
   * @param pairs of frames to watch stage by stage, and again without waiting between stages; under the first policy.
   * @param policies that prune.
   */
  async measure(
    pairs: number,
    policies: readonly [RetentionChoice, ...RetentionChoice[]],
  ): Promise<StageReport> {
    const { gpu, ring } = this.#model;
    const { device } = gpu;
    ring.configure(policies[0].how);
    for (let i = 0; i < pairs; i++) await this.pair();
    const watched = await timed(device, () => this.#watchAhead(pairs));
    const answers: { firstMs: number; restMs: number }[] = [];
    for (let i = 0; i < QUESTION_RUNS; i++) answers.push(await this.answer(ANSWER_TOKENS));
    const decodes = answers.map(({ restMs }) => restMs / (ANSWER_TOKENS - 1));
    const decodeMs = median(decodes);
    const steps = QUESTION_RUNS * (ANSWER_TOKENS - 1);
    const stages: StageTime[] = [
      ...[...PAIR_STAGES, 'question'].map((stage) => this.stage(stage)),
      { stage: 'decode', ms: decodeMs, leastMs: Math.min(...decodes), tokens: 1, runs: steps },
    ];
    const prunes: PruneCost[] = [];
    for (const policy of policies) prunes.push(await this.#measurePrunes(policy, stages));
    return {
      stages,
      framePairsPerSecond: (pairs * 1000) / watched.ms,
      decodeTokensPerSecond: 1000 / decodeMs,
      firstTokenMs: median(answers.map(({ firstMs }) => firstMs)),
      prunes,
    };
  }

  /** How long a stage took in its runs since the warm-up. */
  stage(stage: string): StageTime {
    const times = this.#times.get(stage)!;
    return {
      stage,
      ms: median(times),
      leastMs: Math.min(...times),
      tokens: this.#tokens.get(stage),
      runs: times.length,
    };
  }

  /** Watches on until the ring was pruned often enough; pairs cost what they cost in `stages`. */
  async #measurePrunes(policy: RetentionChoice, stages: readonly StageTime[]): Promise<PruneCost> {
    const { ring, grid } = this.#model;
    ring.configure(policy.how);
    this.#times.delete('prune');
    for (const end = ring.prunes + PRUNES; ring.prunes < end; ) await this.pair();
    const { ms, leastMs, runs } = this.stage('prune');
    const pairsBetween = Math.floor((ring.budget - pruneTarget(ring.budget, grid.tokens)) / grid.tokens);
    const pairMs = stages
      .filter(({ stage }) => PAIR_STAGES.includes(stage))
      .reduce((sum, stage) => sum + stage.leastMs, 0);
    const share = leastMs / (leastMs + pairsBetween * pairMs);
    return { policy: policy.name, ms, leastMs, runs, pairsBetween, share };
  }

  #note(stage: string, ms: number, tokens?: number): void {
    this.#times.set(stage, [...(this.#times.get(stage) ?? []), ms]);
    if (tokens !== undefined) this.#tokens.set(stage, tokens);
  }

  /** Times a stage; a prune only where there was one. */
  async #time(stage: string, run: () => unknown): Promise<void> {
    const { grid, gpu } = this.#model;
    const { ms, made } = await timed(gpu.device, run);
    if (made !== false) this.#note(stage, ms, grid.tokens);
  }

  /** Keeps the queue filled, one pair ahead of the one that runs. */
  async #watchAhead(pairs: number): Promise<void> {
    let before = Promise.resolve();
    for (let i = 0; i < pairs; i++) {
      this.#makeRoom();
      this.#preprocess();
      this.#encode();
      this.#prefill();
      const done = this.#model.gpu.device.queue.onSubmittedWorkDone().then(() => {});
      await before;
      before = done;
    }
  }

  #makeRoom(): boolean {
    const { ring, rotation } = this.#model;
    return ring.makeRoom(() => rotation.locate(ONE_VIDEO, ring.nextSeq));
  }

  #slot(): number {
    return this.#pairs % this.#model.frames.slots;
  }

  #preprocess(): void {
    const { frames } = this.#model;
    frames.write(this.#slot(), 0, this.#picture);
    if (frames.framesPerPatch === 2) frames.write(this.#slot(), 1, this.#picture);
  }

  #encode(): void {
    const { gpu, encoder } = this.#model;
    submit(gpu.device, 'encode', (pass) => encoder.record(pass, this.#slot()));
  }

  #prefill(): void {
    const { gpu, decoder, ring, grid, frameShape } = this.#model;
    const positions = framePositions(this.#nextPosition, 0, frameShape);
    const place = ring.allocate('visual', grid.tokens);
    submit(gpu.device, 'prefill', decoder.prefill({ positions, place }));
    this.#nextPosition += frameShape.duration;
    this.#pairs++;
  }

  /** Prefills text as pinned tokens and samples the next. */
  #question(ids: readonly number[]): Promise<number> {
    const { decoder, ring } = this.#model;
    const positions = textPositions(this.#nextPosition, ids.length);
    const place = ring.allocate('pinned', ids.length);
    this.#nextPosition += ids.length;
    return decoder.submitSampled(
      'question',
      decoder.prefill({ ids, positions, place, choice: { sampling: GREEDY, draw: 0 } }),
    );
  }
}
