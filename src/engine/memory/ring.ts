// The KV ring: which slots are in use, counted on the CPU and never read back, and the GPU work that frees
// them. It writes no keys or values; the decoder does that, into the slots this file hands out.
//
// Every (layer, head) has a circular list of its free slots. Sequence numbers and places in that list advance
// together, one a token, so the token with sequence number s always takes the list's entry s mod capacity.
// Two things follow. Rolled back tokens are issued again to the very slots they had, which are overwritten
// before a query can reach their sequence numbers. And freed slots, appended capacity − used places ahead,
// never overwrite the entries of tokens still in use.

import type { Budget, PolicyName, TarKeys } from '../contract';
import { InvalidInputError, MemoryFullError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { submit } from '../gpu/program';
import { TEXT } from '../gpu/step';
import { budgetTokens, pruneTarget } from './budget';
import { evenFrames } from './even-frames';
import { POLICIES } from './policies';
import { poolWindows } from './pool-windows';
import { writeRingControl } from './ring-control';
import { buildRingPrograms, type RingPrograms } from './ring-programs';
import type { RingShape } from './ring-shape';

/** Pinned: system prompt and attention sinks. Visual: prunable. Dialogue: questions and answers. */
export type Region = 'pinned' | 'visual' | 'dialogue';

/** Where a block's tokens go; fields of the decoder's step block. */
export interface Allocation {
  readonly firstSeq: number;
  /** Place of the block's first slot in the circular free list. */
  readonly freeHead: number;
  /** Slots ever used, the block's own included: attention scans [0, scanSlots). */
  readonly scanSlots: number;
  /** Number of the visual frame, or TEXT. */
  readonly frame: number;
}

/** Consecutive text tokens of one region: first <= seq < end. */
interface Run {
  readonly region: Region;
  readonly first: number;
  end: number;
}

/** How a ring chooses which visual tokens stay. */
export interface Retention {
  readonly policy: PolicyName;
  /** Of the policy `random`. */
  readonly seed: number;
  /** Whether value norms are pooled, layer by layer as InfiniPot-V does. */
  readonly pooling: boolean;
  readonly tarKeys: TarKeys;
}

/** What the CPU knows of a ring: all that saving it takes besides its buffers. Plain data. */
export interface RingState {
  readonly retention: Retention;
  readonly budget: number;
  readonly counts: Readonly<Record<Region, number>>;
  readonly nextSeq: number;
  readonly nextFrame: number;
  readonly prunes: number;
  readonly evenFrames: readonly number[];
  readonly text: readonly Readonly<Run>[];
  readonly newest: { readonly region: Region; readonly tokens: number };
}

export class Ring {
  readonly shape: RingShape;
  /** Most visual tokens the ring can hold; the slots beyond are for text. */
  readonly visualCapacity: number;
  readonly #gpu: Gpu;
  readonly #ledger: Ledger;
  readonly #programs: RingPrograms;
  /** Whether TaR can undo rotation. */
  readonly #unrotates: boolean;
  #retention: Retention = { policy: 'infinipot-v', seed: 0, pooling: false, tarKeys: 'cached' };
  #budget: number;
  #counts: Record<Region, number> = { pinned: 0, visual: 0, dialogue: 0 };
  #nextSeq = 0;
  #nextFrame = 0;
  #prunes = 0;
  /** Frames spread evenly over the stream up to the last prune, and all since: what uniform retention goes by. */
  #evenFrames: number[] = [];
  #text: Run[] = [];
  /** The newest tokens of one region: what can be rolled back. */
  #newest: { region: Region; tokens: number } = { region: 'pinned', tokens: 0 };

  private constructor(
    gpu: Gpu,
    ledger: Ledger,
    shape: RingShape,
    visualCapacity: number,
    programs: RingPrograms,
    unrotates: boolean,
  ) {
    this.#gpu = gpu;
    this.#ledger = ledger;
    this.shape = shape;
    this.visualCapacity = visualCapacity;
    this.#programs = programs;
    this.#unrotates = unrotates;
    this.#budget = budgetTokens(shape, { tokens: visualCapacity }, visualCapacity);
  }

  /**
   * An empty ring over the buffers of `planRing(shape)`, with policy infinipot-v and all of visualCapacity as budget.
   * @param visualCapacity slots of each (layer, head) that visual tokens may take; text gets the rest.
   * @param rotated whether TaR shall be able to undo rotation; takes the buffers of `planRotation`.
   * @throws InvalidInputError when visualCapacity is below two frames or above shape.capacity.
   */
  static async create(
    gpu: Gpu,
    ledger: Ledger,
    shape: RingShape,
    visualCapacity: number,
    rotated = false,
  ): Promise<Ring> {
    budgetTokens(shape, { tokens: visualCapacity }, shape.capacity);
    const programs = await buildRingPrograms(gpu, ledger, shape, rotated);
    const ring = new Ring(gpu, ledger, shape, visualCapacity, programs, rotated);
    ring.reset();
    return ring;
  }

  /** Pinned, visual and dialogue tokens held by each (layer, head). */
  get counts(): Readonly<Record<Region, number>> {
    return { ...this.#counts };
  }

  get policy(): PolicyName {
    return this.#retention.policy;
  }

  get budget(): number {
    return this.#budget;
  }

  /** Sequence number of the next token. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Prunes since the ring was last empty. */
  get prunes(): number {
    return this.#prunes;
  }

  get #used(): number {
    return this.#counts.pinned + this.#counts.visual + this.#counts.dialogue;
  }

  /** Slots ever used: all that attention scans, and all that need be saved. */
  get scanSlots(): number {
    // The list hands out slots 0, 1, 2, … first, so those beyond the tokens ever issued are untouched.
    return Math.min(this.#nextSeq, this.shape.capacity);
  }

  get state(): RingState {
    return structuredClone({
      retention: this.#retention,
      budget: this.#budget,
      counts: this.#counts,
      nextSeq: this.#nextSeq,
      nextFrame: this.#nextFrame,
      prunes: this.#prunes,
      evenFrames: this.#evenFrames,
      text: this.#text,
      newest: this.#newest,
    });
  }

  /** Text tokens there is still room for. */
  get textRoom(): number {
    return this.shape.capacity - this.visualCapacity - this.#counts.pinned - this.#counts.dialogue;
  }

  /**
   * Changes how tokens are chosen, or the visual budget; a smaller one takes effect with the next `makeRoom`.
   * @throws InvalidInputError when the budget is out of range, or the ring knows nothing of its keys' rotation and
   *   is to undo it.
   */
  configure({ budget, ...change }: Partial<Retention> & { readonly budget?: Budget }): void {
    if (change.tarKeys === 'unrotated' && !this.#unrotates) {
      throw new InvalidInputError('How these keys are rotated is not known. Compare them as cached.');
    }
    if (budget) this.#budget = budgetTokens(this.shape, budget, this.visualCapacity);
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    this.#retention = { ...this.#retention, ...Object.fromEntries(given) };
  }

  /** Forgets everything: all slots free, sequence numbers and frames from 0. */
  reset(): void {
    submit(this.#gpu.device, 'ring reset', (pass) => this.#programs.reset.record(pass));
    this.#counts = { pinned: 0, visual: 0, dialogue: 0 };
    this.#nextSeq = 0;
    this.#nextFrame = 0;
    this.#prunes = 0;
    this.#evenFrames = [];
    this.#text = [];
    this.#newest = { region: 'pinned', tokens: 0 };
  }

  /**
   * Takes over the state of a ring of the same shape. Every slot is EMPTY then: what the buffers held, up to
   * `scanSlots`, is to be written next.
   */
  restore(state: RingState): void {
    this.reset();
    this.#retention = { ...state.retention };
    this.#budget = state.budget;
    this.#counts = { ...state.counts };
    this.#nextSeq = state.nextSeq;
    this.#nextFrame = state.nextFrame;
    this.#prunes = state.prunes;
    this.#evenFrames = [...state.evenFrames];
    this.#text = state.text.map((run) => ({ ...run }));
    this.#newest = { ...state.newest };
  }

  /**
   * Hands out the next slots: for `visual` those of one whole frame.
   * @throws MemoryFullError when the region has no room.
   */
  allocate(region: Region, tokens: number): Allocation {
    const visual = region === 'visual';
    if (visual ? tokens !== this.shape.tokensPerFrame : !Number.isInteger(tokens) || tokens < 1) {
      throw new InvalidInputError(
        `Cannot allocate ${tokens} ${region} tokens: ${visual ? `a frame has ${this.shape.tokensPerFrame}` : 'it must be a positive whole number'}.`,
      );
    }
    if (visual && this.#counts.visual + tokens > this.#budget) throw this.#visualFull();
    if (!visual && tokens > this.textRoom) {
      throw new MemoryFullError(
        `There is room for ${this.textRoom} more text tokens, but ${tokens} are needed. Drop older dialogue, shorten the text, or load the model with a larger share for dialogue.`,
      );
    }
    const firstSeq = this.#nextSeq;
    this.#nextSeq += tokens;
    this.#counts[region] += tokens;
    if (this.#newest.region === region) this.#newest.tokens += tokens;
    else this.#newest = { region, tokens };
    if (visual) this.#evenFrames.push(this.#nextFrame);
    else this.#extendText(region, firstSeq);
    return {
      firstSeq,
      freeHead: firstSeq % this.shape.capacity,
      scanSlots: this.scanSlots,
      frame: visual ? this.#nextFrame++ : TEXT,
    };
  }

  /**
   * Takes back the newest `tokens`, of one region and not older than the last prune or release; of visual
   * ones whole frames. They are issued again with the same slots and sequence numbers.
   */
  rollback(tokens: number): void {
    const { region, tokens: newest } = this.#newest;
    const whole = region !== 'visual' || tokens % this.shape.tokensPerFrame === 0;
    if (!Number.isInteger(tokens) || tokens < 0 || tokens > newest || !whole) {
      throw new InvalidInputError(
        `Cannot roll back ${tokens} tokens: the newest are ${newest} ${region} ones${whole ? '' : `, ${this.shape.tokensPerFrame} a frame`}.`,
      );
    }
    this.#newest = { region, tokens: newest - tokens };
    this.#nextSeq -= tokens;
    this.#counts[region] -= tokens;
    if (region === 'visual') {
      const frames = tokens / this.shape.tokensPerFrame;
      this.#nextFrame -= frames;
      this.#evenFrames.length -= frames;
    } else if (tokens > 0) {
      const run = this.#text.at(-1)!;
      run.end -= tokens;
      if (run.end === run.first) this.#text.pop();
    }
  }

  /**
   * Makes room for one more frame, if there is none, by pruning as the policy says. To be called before each
   * visual allocation; submits at most one compute pass, besides what `locate` submits.
   * @param locate writes how far keys are turned (`KeyRotation.locate`); called if a prune must undo that.
   * @returns whether it pruned.
   * @throws MemoryFullError when the policy never prunes.
   */
  makeRoom(locate?: () => void): boolean {
    const { tokensPerFrame } = this.shape;
    if (this.#counts.visual + tokensPerFrame <= this.#budget) return false;
    this.prune(pruneTarget(this.#budget, tokensPerFrame), locate);
    return true;
  }

  /**
   * Lets go of all but `keep` visual tokens, chosen as the policy says; submits one compute pass, besides
   * what `locate` submits.
   * @param locate as of `makeRoom`.
   * @throws MemoryFullError when the policy never prunes; InvalidInputError when fewer tokens are held.
   */
  prune(keep: number, locate?: () => void): void {
    const { policy, seed, pooling, tarKeys } = this.#retention;
    const plan = POLICIES[policy].plan;
    if (!plan) throw this.#visualFull();
    if (!Number.isInteger(keep) || keep < 1 || keep > this.#counts.visual) {
      throw new InvalidInputError(
        `Cannot keep ${keep} of ${this.#counts.visual} visual tokens; it must be a whole number from 1 to as many.`,
      );
    }
    const { tokensPerFrame, gridColumns } = this.shape;
    const visualTokens = this.#counts.visual;
    const request = { visualTokens, tokensPerFrame, keep, pooling };
    const { recentFrames, stages } = plan(request);
    const framesHeld = Math.floor(visualTokens / tokensPerFrame);
    // Kept up to date under every policy, so that it stays short and is there when the policy changes.
    this.#evenFrames = evenFrames(this.#evenFrames, Math.ceil(keep / tokensPerFrame), this.#nextFrame);
    const scores = new Set(stages.map(({ score }) => score));
    const { device } = this.#gpu;
    if (scores.has('tar') && tarKeys === 'unrotated') {
      if (!locate) throw new Error('To undo rotation, a prune must be told how far keys are turned');
      locate();
    }
    if (scores.has('even')) {
      device.queue.writeBuffer(this.#ledger.get('ring.even'), 0, Uint32Array.from(this.#evenFrames));
    }
    const scanSlots = this.scanSlots;
    writeRingControl(device, this.#ledger.get('ring.control'), {
      nextSeq: this.#nextSeq,
      scanSlots,
      freeTail: this.#freeTail,
      firstRecent: this.#nextFrame - recentFrames,
      recentFrames,
      evenFrames: this.#evenFrames.length,
      seed,
      pool: poolWindows(framesHeld, tokensPerFrame / gridColumns, gridColumns),
      stages,
    });
    submit(device, 'ring prune', (pass) => this.#programs.prune.record(pass, { scanSlots, scores, tarKeys }));
    this.#counts.visual = keep;
    this.#prunes++;
    this.#newest.tokens = 0;
  }

  /**
   * Releases the dialogue tokens with firstSeq <= sequence number < endSeq; visual tokens among them stay.
   * @returns how many were released.
   * @throws InvalidInputError when pinned tokens lie in the range.
   */
  dropDialogue(firstSeq: number, endSeq: number): number {
    const kept: Run[] = [];
    let dropped = 0;
    for (const run of this.#text) {
      const first = Math.max(run.first, firstSeq);
      const end = Math.min(run.end, endSeq);
      if (first >= end) {
        kept.push(run);
        continue;
      }
      if (run.region === 'pinned') {
        throw new InvalidInputError(`Tokens ${first} to ${end - 1} are pinned and cannot be dropped.`);
      }
      dropped += end - first;
      if (run.first < first) kept.push({ ...run, end: first });
      if (end < run.end) kept.push({ ...run, first: end });
    }
    if (dropped === 0) return 0;
    writeRingControl(this.#gpu.device, this.#ledger.get('ring.control'), {
      nextSeq: this.#nextSeq,
      scanSlots: this.scanSlots,
      freeTail: this.#freeTail,
      dropFirst: firstSeq,
      dropEnd: Math.min(endSeq, this.#nextSeq),
    });
    submit(this.#gpu.device, 'ring drop', (pass) => this.#programs.drop.record(pass));
    this.#text = kept;
    this.#counts.dialogue -= dropped;
    this.#newest.tokens = 0;
    return dropped;
  }

  /** Where the next freed slot is appended: behind the last free one. */
  get #freeTail(): number {
    return (this.#nextSeq + this.shape.capacity - this.#used) % this.shape.capacity;
  }

  #extendText(region: Region, firstSeq: number): void {
    const last = this.#text.at(-1);
    if (last?.region === region && last.end === firstSeq) last.end = this.#nextSeq;
    else this.#text.push({ region, first: firstSeq, end: this.#nextSeq });
  }

  #visualFull(): MemoryFullError {
    const held = `${this.#counts.visual} of ${this.#budget} visual tokens are held, and the next frame needs ${this.shape.tokensPerFrame}.`;
    return new MemoryFullError(
      POLICIES[this.policy].plan
        ? `${held} Make room before allocating a frame.`
        : `${held} The policy '${this.policy}' lets go of nothing: choose infinipot-v or sliding-window, or a larger budget.`,
    );
  }
}
