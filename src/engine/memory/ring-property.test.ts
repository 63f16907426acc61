// Random lives of a ring — frames, with text before each or not, questions, stopped answers, prunes, rebases, dropped
// turns, changes of policy, budget and positions, saving, restoring, forgetting — against a plain model of what it should
// hold. Each sequence has a seed of its own, which a failure names: run that one alone by setting FIRST and SEQUENCES.

import { expect, it } from 'vitest';
import { type FrameShape, frameShape, type Position } from '../decoder/rotary';
import { Dialogue } from '../dialogue';
import { TEXT } from '../gpu/step';
import { sequences, testGpu } from '../gpu/testing/harness';
import { PRUNING_POLICIES } from './policies';
import { side } from './positions';
import type { Region } from './ring';
import type { RingShape } from './ring-shape';
import type { SeqRange } from './seq-range';
import { MirroredRing, type SavedRing } from './testing/mirrored-ring';
import { randomWords } from './testing/random-rows';
import { TrackedStream } from './testing/tracked-stream';

const FIRST = 1;
const SEQUENCES = await sequences(768);
const MOST_STEPS = 24;

/** Trained positions of a life: from room for the longest turn beside what never goes, to twice that. */
const LEAST_RANGE = 32;
const MOST_RANGE = 48;

/** So few pairs turn so fast that one position too many or too few shows in each of them. */
const ROPE_THETA = 100;

const SHAPES: readonly (RingShape & {
  visualCapacity: number;
  ropeSections: readonly [time: number, height: number, width: number];
  mrope: boolean;
})[] = [
  // Odd sizes; two layers, two heads, so that heads come to hold different tokens.
  {
    layers: 2,
    kvHeads: 2,
    headDim: 8,
    capacity: 64,
    tokensPerFrame: 5,
    gridColumns: 5,
    kvFormat: 'f16',
    visualCapacity: 31,
    ropeSections: [2, 1, 1],
    mrope: true,
  },
  // The least that can stream, with plenty of text.
  {
    layers: 1,
    kvHeads: 2,
    headDim: 24,
    capacity: 128,
    tokensPerFrame: 3,
    gridColumns: 1,
    kvFormat: 'f32',
    visualCapacity: 6,
    ropeSections: [5, 4, 3],
    mrope: true,
  },
  // Positions of one axis.
  {
    layers: 1,
    kvHeads: 2,
    headDim: 8,
    capacity: 64,
    tokensPerFrame: 4,
    gridColumns: 2,
    kvFormat: 'f32',
    visualCapacity: 18,
    ropeSections: [4, 0, 0],
    mrope: false,
  },
];

/** A token as the model knows it. */
interface Token {
  readonly region: Region;
  /** Frame and patch of a visual token. */
  readonly frame: number;
  readonly patch: number;
}

/** What the ring should hold: a list of tokens, where they stand, and how many visual ones are left. */
class Model {
  /** By sequence number; dropped text leaves a hole. */
  tokens: (Token | undefined)[] = [];
  visual = 0;
  readonly dialogue = new Dialogue();
  readonly stream: TrackedStream;

  constructor(range: number, frame: FrameShape) {
    this.stream = new TrackedStream(range, frame);
  }

  copy(): Model {
    const { stream } = this;
    const copy = new Model(stream.positions.range, stream.frameShape);
    copy.tokens = [...this.tokens];
    copy.visual = this.visual;
    copy.dialogue.restore(this.dialogue.state);
    copy.stream.restore(stream.state);
    return copy;
  }

  count(region: Region): number {
    return this.tokens.filter((token) => token?.region === region).length;
  }
}

/** One random life. */
class Life {
  readonly mirrored: MirroredRing;
  readonly done: string[] = [];
  rebases = 0;
  readonly #random: () => number;
  readonly #range: number;
  readonly #frame: FrameShape;
  /** Whether every frame has text before it. */
  readonly #timed: boolean;
  #model: Model;
  #saved: { ring: SavedRing; model: Model } | undefined;

  constructor(mirrored: MirroredRing, mrope: boolean, seed: number) {
    const { tokensPerFrame, gridColumns } = mirrored.shape;
    this.mirrored = mirrored;
    this.#random = randomWords(seed);
    this.#range = LEAST_RANGE + this.#below(MOST_RANGE - LEAST_RANGE + 1);
    this.#frame = frameShape({ mrope }, tokensPerFrame / gridColumns, gridColumns);
    this.#timed = this.#below(2) === 0;
    this.#model = new Model(this.#range, this.#frame);
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  async live(): Promise<void> {
    await this.#forget();
    const steps = 4 + this.#below(MOST_STEPS - 3);
    for (let i = 0; i < steps; i++) await this.#step();
    await this.mirrored.check();
    await this.mirrored.checkRows();
    this.mirrored.checkPlaces((seq) => this.#model.stream.at(seq));
    this.#compare();
    this.#compareOrder();
  }

  async #step(): Promise<void> {
    const kind = this.#below(18);
    if (kind < 6) await this.#watch(1 + this.#below(9));
    else if (kind < 8) await this.#ask('answered');
    else if (kind < 10) await this.#ask('aborted');
    else if (kind === 10) await this.#ask('unremembered');
    else if (kind === 11) await this.#failedFrame();
    else if (kind === 12) this.#configure();
    else if (kind === 13) await this.#save();
    else if (kind === 14) await this.#restore();
    else if (kind === 15) await this.#rebaseEarly();
    else if (kind === 16) this.#changePositions();
    else if (this.#below(3) === 0) await this.#forget();
  }

  /** Puts tokens into ring and model, where there is room for them. */
  #put(region: Region, count: number): { first: number; end: number } {
    const { tokens, stream } = this.#model;
    const first = tokens.length;
    expect([this.mirrored.ring.nextSeq, stream.seq]).toEqual([first, first]);
    const visual = region === 'visual';
    const frame = visual ? stream.frames : TEXT;
    const last = [...stream.tokens.values()].at(-1)?.position ?? [-1, -1, -1];
    const goesOn = visual && stream.positions.inVideo && tokens.at(-1)?.region === 'visual';
    const time = visual ? stream.nextTime : undefined;
    const positions = visual ? stream.frame(time) : stream.text(count);
    expect(positions[0]![0], 'right behind').toBe((goesOn ? last[0] : Math.max(...last)) + 1);
    if (stream.positions.policy === 'rebased') {
      expect(Math.max(...positions.flat()), 'newest position').toBeLessThan(this.#range);
    }
    this.mirrored.put(region, count, positions, time);
    for (let patch = 0; patch < count; patch++) tokens.push({ region, frame, patch });
    if (visual) this.#model.visual += count;
    return { first, end: tokens.length };
  }

  /** Takes the newest text back. */
  #rollback(count: number): void {
    this.mirrored.rollback(count);
    this.#model.stream.rollback(count);
    this.#model.tokens.length -= count;
  }

  async #watch(frames: number): Promise<void> {
    this.done.push(`watch ${frames}`);
    for (let i = 0; i < frames; i++) {
      const { stream, dialogue, tokens } = this.#model;
      const next = stream.positions.inVideo || tokens.length === this.#model.count('pinned');
      const opening = this.#timed ? 2 : next ? 0 : 1;
      await this.#makeFrameRoom(opening);
      if (opening > 0) {
        const range = this.#put('dialogue', opening);
        if (next) dialogue.separate(range);
        else dialogue.openFrames(range);
      }
      if (!stream.positions.inVideo) stream.openVideo();
      this.#put('visual', this.mirrored.shape.tokensPerFrame);
    }
  }

  /** A question, and an answer whose last steps ran ahead and are taken back. */
  async #ask(kind: 'answered' | 'aborted' | 'unremembered'): Promise<void> {
    const { tokens, stream, dialogue } = this.#model;
    const question = 1 + this.#below(4);
    const answer = kind === 'aborted' ? 0 : 1 + this.#below(5);
    const ahead = this.#below(5);
    this.done.push(`ask ${question} + ${answer} + ${ahead} ${kind}`);
    await this.#makeTextRoom(question + answer + ahead + 3);
    await this.#makePositions(1 + question);
    const before = tokens.length;
    const closed = stream.positions.inVideo ? this.#put('dialogue', 1) : undefined;
    const { first } = this.#put('dialogue', question);
    for (let i = 0; i < answer + ahead; i++) {
      // A long answer passes the range in its middle.
      await this.#makePositions(1);
      this.#put('dialogue', 1);
    }
    if (kind === 'unremembered') {
      this.#rollback(tokens.length - before);
      return;
    }
    if (ahead > 0) this.#rollback(ahead);
    await this.#makePositions(1);
    this.#put('dialogue', 1);
    if (closed) dialogue.closeFrames(closed);
    dialogue.addTurn({ first, end: tokens.length });
  }

  /** Room in the ring and in the range for one more frame after `opening` words. */
  async #makeFrameRoom(opening: number): Promise<void> {
    const { stream, dialogue } = this.#model;
    const { ring, shape } = this.mirrored;
    if (await this.mirrored.makeRoom(stream.positions.waysBack)) this.#model.visual = ring.counts.visual;
    await this.#drop(dialogue.dropSeparators(Math.floor(ring.budget / shape.tokensPerFrame) - 1));
    await this.#makeTextRoom(opening);
    await this.#makePositions(opening + side(this.#frame));
  }

  /** Lets go of the oldest turns until so much text fits, in the ring and, after rebases, in the range. */
  async #makeTextRoom(needed: number): Promise<void> {
    const { stream, dialogue } = this.#model;
    while (Math.min(this.mirrored.ring.textRoom, stream.positions.textRoom) < needed) {
      const ranges = dialogue.dropOldest();
      expect(ranges.length, `something to let go of for ${needed} tokens`).toBeGreaterThan(0);
      this.done.push('drop a turn');
      await this.#drop(ranges);
    }
  }

  async #drop(ranges: readonly SeqRange[]): Promise<void> {
    const { tokens, stream } = this.#model;
    for (const { first, end } of ranges) {
      expect(await this.mirrored.dropDialogue(first, end)).toBe(end - first);
      stream.drop(first, end);
      tokens.fill(undefined, first, end);
    }
  }

  /** Rebases where `count` more positions would pass the range. */
  async #makePositions(count: number): Promise<void> {
    const { stream } = this.#model;
    const before = Array.from(stream.tokens, ([seq, { position }]) => [seq, position] as const);
    const moves = stream.makeRoom(count);
    if (moves.length === 0) return;
    this.done.push('rebase');
    this.rebases++;
    await this.mirrored.rebase(moves, (seq) => stream.at(seq));
    const movedUp = before.filter(([seq, was]) => stream.at(seq).some((now, axis) => now > was[axis]!));
    expect(movedUp, 'moved up').toEqual([]);
    this.#compareOrder();
  }

  /** A rebase before it is due, as far as it goes or less. */
  async #rebaseEarly(): Promise<void> {
    const { next } = this.#model.stream.positions;
    const due = Math.max(1, this.#range - next + 1);
    await this.#makePositions(due + this.#below(this.#range - due + 1));
  }

  #changePositions(): void {
    const { positions } = this.#model.stream;
    positions.policy = this.#below(3) === 0 ? 'absolute' : 'rebased';
    this.done.push(`${positions.policy} positions`);
  }

  /** A frame that fails on its way is taken back. */
  async #failedFrame(): Promise<void> {
    const { tokens, stream } = this.#model;
    if (!stream.positions.inVideo) return;
    this.done.push('a frame taken back');
    await this.#makeFrameRoom(0);
    const before = stream.state;
    const { first, end } = this.#put('visual', this.mirrored.shape.tokensPerFrame);
    this.mirrored.rollback(end - first);
    stream.restore(before);
    tokens.length = first;
    this.#model.visual -= end - first;
  }

  #configure(): void {
    const { ring, shape } = this.mirrored;
    const least = 2 * shape.tokensPerFrame;
    const tokens = least + this.#below(ring.visualCapacity - least + 1);
    const policy = PRUNING_POLICIES[this.#below(PRUNING_POLICIES.length)]!;
    this.done.push(`${policy} ${tokens}`);
    const pooling = this.#below(2) === 0;
    const tarKeys = this.#below(2) === 0 ? 'unrotated' : 'cached';
    this.mirrored.configure({ policy, budget: { tokens }, seed: this.#random(), pooling, tarKeys });
  }

  async #save(): Promise<void> {
    this.done.push('save');
    this.#saved = { ring: await this.mirrored.save(), model: this.#model.copy() };
  }

  async #restore(): Promise<void> {
    if (!this.#saved) return;
    this.done.push('restore');
    const { ring, model } = this.#saved;
    await this.mirrored.restore(ring);
    this.#model = model.copy();
  }

  async #forget(): Promise<void> {
    this.done.push('forget');
    await this.mirrored.reset();
    const { policy } = this.#model.stream.positions;
    this.#model = new Model(this.#range, this.#frame);
    this.#model.stream.positions.policy = policy;
    this.#put('pinned', 1 + this.#below(3));
    if (!this.#timed) this.#model.stream.openVideo();
  }

  /** Counts, masks and origins: what each head holds is what the model says, and the next query sees all of it. */
  #compare(): void {
    const { ring, mirror } = this.mirrored;
    const { tokens, visual } = this.#model;
    const counts = { pinned: this.#model.count('pinned'), visual, dialogue: this.#model.count('dialogue') };
    expect(ring.counts).toEqual(counts);
    expect(visual).toBeLessThanOrEqual(ring.visualCapacity);
    expect(ring.nextSeq).toBe(tokens.length);
    const text = tokens.flatMap((token, seq) => (token && token.region !== 'visual' ? [seq] : []));
    for (let head = 0; head < mirror.heads; head++) {
      const held = mirror.held(head);
      const heldText = held.filter(({ frame }) => frame === TEXT).map(({ seq }) => seq);
      expect(
        heldText.sort((a, b) => a - b),
        `text of head ${head}`,
      ).toEqual(text);
      for (const { seq, frame, patch } of held) {
        if (frame !== TEXT) expect({ region: 'visual', frame, patch }, `token ${seq}`).toEqual(tokens[seq]);
      }
      expect(held.length - heldText.length, `visual tokens of head ${head}`).toBe(visual);
    }
  }

  /**
   * Order is kept: text stands behind all that came before it, a patch behind all text before it, and a frame no earlier
   * than the one before. What opens the stream stands where it always did.
   */
  #compareOrder(): void {
    const { stream } = this.#model;
    let behindText = 0;
    let behindAll = 0;
    let time = 0;
    let frame: number | undefined;
    const misplaced: [seq: number, position: Position][] = [];
    for (const [seq, { position, time: ofFrame }] of stream.tokens) {
      const isText = ofFrame === undefined;
      const least = isText ? behindAll : behindText;
      const begins = isText || ofFrame !== frame;
      if (Math.min(...position) < least || (begins && position[0] < time)) misplaced.push([seq, position]);
      behindAll = Math.max(behindAll, ...position.map((at) => at + 1));
      if (isText) behindText = behindAll;
      if (begins) time = position[0];
      frame = ofFrame;
    }
    expect(misplaced, 'out of order').toEqual([]);
    const opening = Array.from({ length: this.#model.count('pinned') }, (_, i) => [i, i, i]);
    expect(
      opening.map((_, seq) => stream.at(seq)),
      'opening',
    ).toEqual(opening);
  }
}

for (const [i, { visualCapacity, ropeSections, mrope, ...shape }] of SHAPES.entries()) {
  const { layers, kvHeads, tokensPerFrame, kvFormat } = shape;
  it(`${SEQUENCES / SHAPES.length} random lives, ${layers}x${kvHeads} heads in ${kvFormat}, ${visualCapacity} tokens, ${tokensPerFrame} a frame, mrope ${mrope}`, async () => {
    const rope = { ropeTheta: ROPE_THETA, ropeSections };
    const mirrored = await MirroredRing.create(await testGpu(), shape, visualCapacity, 7 + i, rope);
    mirrored.eager = false;
    let lives = 0;
    let steps = 0;
    let rebases = 0;
    for (let seed = FIRST + i; seed < FIRST + SEQUENCES; seed += SHAPES.length) {
      mirrored.configure({
        policy: 'infinipot-v',
        budget: { tokens: visualCapacity },
        pooling: false,
        tarKeys: 'cached',
      });
      const life = new Life(mirrored, mrope, seed);
      try {
        await life.live();
      } catch (cause) {
        throw new Error(`Sequence of seed ${seed}: ${life.done.join(', ')}`, { cause });
      }
      lives++;
      steps += life.done.length;
      rebases += life.rebases;
    }
    console.log(`${steps} operations, ${rebases} rebases`);
    expect(rebases).toBeGreaterThan(lives);
    mirrored.dispose();
  }, 600_000);
}
