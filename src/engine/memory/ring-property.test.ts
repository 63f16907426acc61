// Random lives of a ring — frames, questions, stopped answers, prunes, dropped turns, changes of budget, saving,
// restoring, forgetting — against a plain model of what it should hold. Each sequence has a seed of its own, which
// a failure names: run that one alone by setting FIRST and SEQUENCES.

import { expect, it } from 'vitest';
import { Dialogue } from '../dialogue';
import { TEXT } from '../gpu/step';
import { testGpu } from '../gpu/testing/harness';
import { PRUNING_POLICIES } from './policies';
import type { Region } from './ring';
import type { RingShape } from './ring-shape';
import { MirroredRing, type SavedRing } from './testing/mirrored-ring';
import { randomWords } from './testing/random-rows';

const FIRST = 1;
const SEQUENCES = 520;
const MOST_STEPS = 16;

const SHAPES: readonly (RingShape & { visualCapacity: number })[] = [
  // Odd sizes; two layers, two heads, so that heads come to hold different tokens.
  {
    layers: 2,
    kvHeads: 2,
    headDim: 4,
    capacity: 64,
    tokensPerFrame: 5,
    gridColumns: 5,
    kvFormat: 'f16',
    visualCapacity: 31,
  },
  // The least that can stream, with plenty of text.
  {
    layers: 1,
    kvHeads: 2,
    headDim: 8,
    capacity: 128,
    tokensPerFrame: 3,
    gridColumns: 1,
    kvFormat: 'f32',
    visualCapacity: 6,
  },
];

/** A token as the model knows it. */
interface Token {
  readonly region: Region;
  /** Frame and patch of a visual token. */
  readonly frame: number;
  readonly patch: number;
}

/** What the ring should hold: a list of tokens, and how many visual ones are left. */
class Model {
  /** By sequence number; dropped text leaves a hole. */
  tokens: (Token | undefined)[] = [];
  frames = 0;
  visual = 0;
  dialogue = new Dialogue();

  copy(): Model {
    const copy = new Model();
    copy.tokens = [...this.tokens];
    copy.frames = this.frames;
    copy.visual = this.visual;
    copy.dialogue.restore(this.dialogue.state);
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
  readonly #random: () => number;
  #model = new Model();
  #open = true;
  #saved: { ring: SavedRing; model: Model; open: boolean } | undefined;

  constructor(mirrored: MirroredRing, seed: number) {
    this.mirrored = mirrored;
    this.#random = randomWords(seed);
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
    this.#compare();
  }

  async #step(): Promise<void> {
    const kind = this.#below(16);
    if (kind < 6) await this.#watch(1 + this.#below(6));
    else if (kind < 8) await this.#ask('answered');
    else if (kind < 10) await this.#ask('aborted');
    else if (kind === 10) await this.#ask('unremembered');
    else if (kind === 11) this.#failedFrame();
    else if (kind === 12) this.#configure();
    else if (kind === 13) await this.#save();
    else if (kind === 14) await this.#restore();
    else if (this.#below(3) === 0) await this.#forget();
  }

  /** Puts tokens into ring and model. */
  #put(region: Region, count: number): { first: number; end: number } {
    const { tokens } = this.#model;
    const first = tokens.length;
    expect(this.mirrored.ring.nextSeq).toBe(first);
    const visual = region === 'visual';
    this.mirrored.put(region, count);
    for (let patch = 0; patch < count; patch++) {
      tokens.push({ region, frame: visual ? this.#model.frames : TEXT, patch });
    }
    if (visual) {
      this.#model.frames++;
      this.#model.visual += count;
    }
    return { first, end: tokens.length };
  }

  /** Takes the newest tokens back. */
  #rollback(count: number): void {
    this.mirrored.ring.rollback(count);
    const taken = this.#model.tokens.splice(this.#model.tokens.length - count);
    if (taken[0]?.region === 'visual') {
      this.#model.frames--;
      this.#model.visual -= count;
    }
  }

  async #watch(frames: number): Promise<void> {
    this.done.push(`watch ${frames}`);
    const { ring, shape } = this.mirrored;
    for (let i = 0; i < frames; i++) {
      if (await this.mirrored.makeRoom()) this.#model.visual = ring.counts.visual;
      if (!this.#open) {
        await this.#makeTextRoom(1);
        this.#model.dialogue.openFrames(this.#put('dialogue', 1));
      }
      this.#open = true;
      this.#put('visual', shape.tokensPerFrame);
    }
  }

  /** A question, and an answer whose last steps ran ahead and are taken back. */
  async #ask(kind: 'answered' | 'aborted' | 'unremembered'): Promise<void> {
    const question = 1 + this.#below(4);
    const answer = kind === 'aborted' ? 0 : 1 + this.#below(5);
    const ahead = this.#below(5);
    this.done.push(`ask ${question} + ${answer} + ${ahead} ${kind}`);
    await this.#makeTextRoom(question + answer + ahead + 3);
    const before = this.#model.tokens.length;
    const closed = this.#open ? this.#put('dialogue', 1) : undefined;
    const { first } = this.#put('dialogue', question);
    for (let i = 0; i < answer + ahead; i++) this.#put('dialogue', 1);
    if (kind === 'unremembered') {
      this.#rollback(this.#model.tokens.length - before);
      return;
    }
    if (ahead > 0) this.#rollback(ahead);
    this.#put('dialogue', 1);
    if (closed) this.#model.dialogue.closeFrames(closed);
    this.#open = false;
    this.#model.dialogue.addTurn({ first, end: this.#model.tokens.length });
  }

  async #makeTextRoom(needed: number): Promise<void> {
    const { ring } = this.mirrored;
    while (ring.textRoom < needed) {
      const ranges = this.#model.dialogue.dropOldest();
      expect(ranges.length, `something to let go of for ${needed} tokens`).toBeGreaterThan(0);
      this.done.push('drop a turn');
      for (const { first, end } of ranges) {
        expect(await this.mirrored.dropDialogue(first, end)).toBe(end - first);
        this.#model.tokens.fill(undefined, first, end);
      }
    }
  }

  /** A frame that fails on its way is taken back. */
  #failedFrame(): void {
    const { ring, shape } = this.mirrored;
    if (!this.#open || ring.counts.visual + shape.tokensPerFrame > ring.budget) return;
    this.done.push('a frame taken back');
    this.#put('visual', shape.tokensPerFrame);
    this.#rollback(shape.tokensPerFrame);
  }

  #configure(): void {
    const { ring, shape } = this.mirrored;
    const least = 2 * shape.tokensPerFrame;
    const tokens = least + this.#below(ring.visualCapacity - least + 1);
    const policy = PRUNING_POLICIES[this.#below(PRUNING_POLICIES.length)]!;
    this.done.push(`${policy} ${tokens}`);
    const pooling = this.#below(2) === 0;
    this.mirrored.configure({ policy, budget: { tokens }, seed: this.#random(), pooling });
  }

  async #save(): Promise<void> {
    this.done.push('save');
    this.#saved = { ring: await this.mirrored.save(), model: this.#model.copy(), open: this.#open };
  }

  async #restore(): Promise<void> {
    if (!this.#saved) return;
    this.done.push('restore');
    const { ring, model, open } = this.#saved;
    await this.mirrored.restore(ring);
    this.#model = model.copy();
    this.#open = open;
  }

  async #forget(): Promise<void> {
    this.done.push('forget');
    await this.mirrored.reset();
    this.#model = new Model();
    this.#open = true;
    this.#put('pinned', 1 + this.#below(3));
  }

  /** Counts, masks and origins: what each head holds is what the model says, and the next query sees all of it. */
  #compare(): void {
    const { ring, heads } = this.mirrored;
    const { tokens, visual } = this.#model;
    const counts = { pinned: this.#model.count('pinned'), visual, dialogue: this.#model.count('dialogue') };
    expect(ring.counts).toEqual(counts);
    expect(visual).toBeLessThanOrEqual(ring.visualCapacity);
    expect(ring.nextSeq).toBe(tokens.length);
    const text = tokens.flatMap((token, seq) => (token && token.region !== 'visual' ? [seq] : []));
    for (let head = 0; head < heads; head++) {
      const held = this.mirrored.held(head);
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
}

for (const [i, { visualCapacity, ...shape }] of SHAPES.entries()) {
  const { layers, kvHeads, tokensPerFrame } = shape;
  it(`${SEQUENCES / 2} random lives, ${layers}x${kvHeads} heads, ${visualCapacity} tokens, ${tokensPerFrame} a frame`, async () => {
    const mirrored = await MirroredRing.create(await testGpu(), shape, visualCapacity, 7 + i);
    mirrored.eager = false;
    let steps = 0;
    for (let seed = FIRST + i; seed < FIRST + SEQUENCES; seed += SHAPES.length) {
      mirrored.configure({ policy: 'infinipot-v', budget: { tokens: visualCapacity }, pooling: false });
      const life = new Life(mirrored, seed);
      try {
        await life.live();
      } catch (cause) {
        throw new Error(`Sequence of seed ${seed}: ${life.done.join(', ')}`, { cause });
      }
      steps += life.done.length;
    }
    console.log(`${steps} operations`);
    mirrored.dispose();
  }, 600_000);
}
