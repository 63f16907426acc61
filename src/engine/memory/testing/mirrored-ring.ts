// A ring on the GPU with its mirror: puts random tokens into both, has the GPU prune, release, rebase, save and
// restore, and checks what it made of them against the mirror, which keeps what the oracle keeps.

import { expect } from 'vitest';
import type { MemoryLens, TarKeys } from '../../contract';
import type { DecoderHyper } from '../../decoder/hyper';
import type { Position } from '../../decoder/rotary';
import type { Gpu } from '../../gpu/device';
import { Ledger } from '../../gpu/ledger';
import { TEXT } from '../../gpu/step';
import { TOLERANCE } from '../../testing/tolerance';
import { pruneTarget } from '../budget';
import { Lens, planLens } from '../lens';
import type { SeenFrame } from '../moments';
import type { Move } from '../positions';
import { type Region, Ring, type RingState } from '../ring';
import { EMPTY, planRing, type RingShape, SLOT_WORDS } from '../ring-shape';
import { KeyRotation, planRotation } from '../rotation';
import { planSnapshot, readRing, savedRingBytes, writeRing } from '../snapshot';
import { keptTokens, spreadFrames, type Token } from './oracle';
import { wordsAsRow } from './random-rows';
import { type Held, type MirroredBuffer, type MirrorState, RingMirror } from './ring-mirror';
import { keyError, turnedKey } from './turned-key';

type Rope = Pick<DecoderHyper, 'ropeTheta' | 'ropeSections'>;

/** A saved ring with the mirror's own copy of it. */
export interface SavedRing {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly state: RingState;
  readonly mirror: MirrorState;
  readonly oracle: {
    readonly seed: number;
    readonly pooling: boolean;
    readonly tarKeys: TarKeys;
    readonly frames: readonly number[];
    readonly evenFrames: readonly number[];
  };
}

/** How the keys of a ring are turned, and what turns them. */
interface Turning {
  readonly rope: Rope;
  readonly rotation: KeyRotation;
}

export class MirroredRing {
  readonly ring: Ring;
  readonly mirror: RingMirror;
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #lens: Lens;
  readonly #turning?: Turning;
  readonly #staging: GPUBuffer;
  /**
   * False: reads the GPU back only after rebases, where several outcomes of a prune would be right, and when told to
   * check. Reading back takes most of the time of a small ring.
   */
  eager = true;
  /** Whether tokens were put since the last flush. */
  #written = false;
  #seed = 0;
  #pooling = false;
  #tarKeys: TarKeys = 'cached';
  /** Sequence number of the first token of each frame put since the last reset. */
  #frames: number[] = [];
  /** What the oracle of uniform retention goes by. */
  #evenFrames: number[] = [];

  private constructor(gpu: Gpu, ledger: Ledger, ring: Ring, lens: Lens, seed: number, turning?: Turning) {
    this.#device = gpu.device;
    this.#ledger = ledger;
    this.#turning = turning;
    this.ring = ring;
    this.#lens = lens;
    this.mirror = new RingMirror(ring, seed);
    this.#staging = this.#device.createBuffer({
      size: this.mirror.buffers.reduce((bytes, [, words]) => bytes + words.byteLength, 0),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** @param rope of a ring whose tokens are put with positions and rebased; its headDim is a multiple of 8. */
  static async create(
    gpu: Gpu,
    shape: RingShape,
    visualCapacity: number,
    seed: number,
    rope?: Rope,
  ): Promise<MirroredRing> {
    const ledger = await Ledger.create(gpu.device, [
      ...planRing(shape),
      ...(rope ? planRotation(shape) : []),
      planSnapshot(),
      ...planLens(shape),
    ]);
    const ring = await Ring.create(gpu, ledger, shape, visualCapacity, rope !== undefined);
    const turning = rope && { rope, rotation: await KeyRotation.create(gpu, ledger, shape, rope) };
    const lens = await Lens.create(gpu, ledger, ring);
    return new MirroredRing(gpu, ledger, ring, lens, seed, turning);
  }

  dispose(): void {
    this.#staging.destroy();
    this.#ledger.dispose();
  }

  get shape(): RingShape {
    return this.ring.shape;
  }

  configure(change: Parameters<Ring['configure']>[0]): void {
    this.ring.configure(change);
    this.#seed = change.seed ?? this.#seed;
    this.#pooling = change.pooling ?? this.#pooling;
    this.#tarKeys = change.tarKeys ?? this.#tarKeys;
  }

  /** Empties ring and mirror and checks that they agree. */
  async reset(): Promise<void> {
    this.#flush();
    this.ring.reset();
    this.#clear();
    if (this.eager) await this.check();
  }

  /**
   * Allocates `tokens` and puts random ones; they reach the GPU before it next works on the ring.
   * @param positions where they stand; needed if the ring is to be rebased.
   * @param time of a frame; its number if left out.
   */
  put(
    region: Region,
    tokens = this.shape.tokensPerFrame,
    positions?: readonly Position[],
    time?: number,
  ): void {
    const place = this.ring.allocate(region, tokens);
    if (region === 'visual') {
      this.#frames.push(place.firstSeq);
      this.#evenFrames.push(place.frame);
    }
    this.mirror.put(place, tokens, positions, time);
    this.#written = true;
  }

  /** Takes back the newest tokens. The next ones put take their slots; until then the slots keep what they hold. */
  rollback(tokens: number): void {
    this.ring.rollback(tokens);
    this.#frames = this.#frames.filter((firstSeq) => firstSeq < this.ring.nextSeq);
    this.#evenFrames = this.#evenFrames.filter((frame) => frame < this.#frames.length);
  }

  /**
   * Makes room for a frame. If that prunes, every head must have kept what the oracle keeps, and the rest be
   * as it was.
   * @param ways of the videos back to position 0, where rotation may be undone.
   * @returns whether it pruned.
   */
  async makeRoom(ways: readonly Move[] = []): Promise<boolean> {
    const { ring, mirror, shape } = this;
    if (ring.counts.visual + shape.tokensPerFrame <= ring.budget) {
      expect(ring.makeRoom()).toBe(false);
      return false;
    }
    this.#flush();
    const before = Array.from({ length: mirror.heads }, (_, head) => this.#compared(head));
    const tail = mirror.freeTail;
    expect(ring.makeRoom(() => this.#turning?.rotation.locate(ways, ring.nextSeq))).toBe(true);
    const keep = pruneTarget(ring.budget, shape.tokensPerFrame);
    expect(ring.counts.visual).toBe(keep);
    const { tokensPerFrame, gridColumns, layers, kvHeads } = shape;
    this.#evenFrames = spreadFrames(this.#evenFrames, Math.ceil(keep / tokensPerFrame), this.#frames.length);
    const right = before.map((tokens, head) =>
      keptTokens(ring.policy, tokens, keep, {
        tokensPerFrame,
        gridColumns,
        seed: this.#seed,
        evenFrames: this.#evenFrames,
        pooling: this.#pooling,
        layer: Math.floor(head / kvHeads),
        layers,
      }),
    );
    const sure = right.every((answers) => answers.length === 1);
    const slots = this.eager || !sure ? (await this.#read(mirror.buffers.slice(0, 1)))[0] : undefined;
    for (let head = 0; head < mirror.heads; head++) {
      const answer = slots ? this.#kept(slots, head, right[head]!) : right[head]![0]!;
      const keeping = new Set(answer);
      mirror.release(head, tail, ({ seq, frame }) => frame !== TEXT && !keeping.has(seq));
    }
    if (this.eager) await this.check();
    return true;
  }

  /** The visual tokens of `head`, with keys as TaR is to compare them. */
  #compared(head: number): Token[] {
    const tokens = this.mirror.visualTokens(head);
    if (this.#tarKeys === 'cached') return tokens;
    const { rope } = this.#turning!;
    return tokens.map((token) => {
      const back = distance(this.mirror.places.get(token.seq)!.now, [0, 0, 0]);
      return { ...token, key: turnedKey(token.key, back, rope) };
    });
  }

  /** The visual tokens that `head` kept on the GPU: one of the right answers. */
  #kept(slots: Uint32Array, head: number, right: readonly number[][]): readonly number[] {
    const found = this.mirror.held(head, slots).filter(({ frame }) => frame !== TEXT);
    const kept = found.map(({ seq }) => seq).sort((a, b) => a - b);
    const answer = right.find((seqs) => seqs.join() === kept.join()) ?? right[0]!;
    expect(kept, `kept by head ${head} at prune ${this.ring.prunes}`).toEqual(answer);
    return answer;
  }

  /** Drops dialogue in ring and mirror and checks that they agree. */
  async dropDialogue(firstSeq: number, endSeq: number): Promise<number> {
    this.#flush();
    const tail = this.mirror.freeTail;
    const dropped = this.ring.dropDialogue(firstSeq, endSeq);
    for (let head = 0; head < this.mirror.heads; head++) {
      this.mirror.release(head, tail, ({ seq, frame }) => frame === TEXT && seq >= firstSeq && seq < endSeq);
    }
    if (this.eager) await this.check();
    return dropped;
  }

  /**
   * Rebases, and checks every key held: turned by as much as its token moves, in double precision, or the same to
   * the bit if it does not. All else must be as it was. The mirror goes on with the keys as they were read back, so that
   * roundings do not add up from one rebase to the next.
   * @param at where a token stands afterwards, by its sequence number.
   */
  async rebase(moves: readonly Move[], at: (seq: number) => Position): Promise<void> {
    if (!this.#turning) throw new Error('A ring without positions cannot be rebased');
    const { rotation, rope } = this.#turning;
    const { ring, mirror } = this;
    const { layers, kvFormat } = this.shape;
    this.#flush();
    rotation.rebase(moves, ring.nextSeq);
    const found = await this.#read(mirror.buffers);
    const keys = found.slice(2, 2 + layers);
    const places: typeof mirror.places = new Map();
    let worst = 0;
    for (let head = 0; head < mirror.heads; head++) {
      for (const { seq, slot } of mirror.held(head)) {
        const place = mirror.places.get(seq)!;
        const now = at(seq);
        const by = distance(place.now, now);
        const moves = by.some((positions) => positions !== 0);
        places.set(seq, { ...place, now, turns: place.turns + Number(moves) });
        if (!moves) continue;
        const key = mirror.key(head, slot);
        const want = turnedKey(wordsAsRow(key, kvFormat), by, rope);
        const got = mirror.key(head, slot, keys);
        worst = Math.max(worst, keyError(wordsAsRow(got, kvFormat), want));
        key.set(got);
      }
    }
    const { turnedKeyF16, turnedKeyF32 } = TOLERANCE;
    expect(worst, 'error of a key turned').toBeLessThan(kvFormat === 'f16' ? turnedKeyF16 : turnedKeyF32);
    expectSame(found, mirror.buffers);
    mirror.places = places;
  }

  /** Every key of the mirror is the one first put, turned to where its token stands; each turn may have rounded it. */
  checkPlaces(at: (seq: number) => Position): void {
    const { rope } = this.#turning!;
    const { mirror } = this;
    const { kvFormat } = this.shape;
    let worst = 0;
    for (let head = 0; head < mirror.heads; head++) {
      for (const { seq, slot } of mirror.held(head)) {
        const { keys, first, turns } = mirror.places.get(seq)!;
        const want = turnedKey(wordsAsRow(keys[head]!, kvFormat), distance(first, at(seq)), rope);
        const error = keyError(wordsAsRow(mirror.key(head, slot), kvFormat), want);
        worst = Math.max(worst, error / Math.max(1, turns));
      }
    }
    const { turnedKeyF16, turnedKeyF32 } = TOLERANCE;
    expect(worst, 'error of a key, a turn').toBeLessThan(kvFormat === 'f16' ? turnedKeyF16 : turnedKeyF32);
  }

  /**
   * Slots and free lists equal the mirror's, and each slot is either owned by one token or free, once. What a
   * free slot still says of a token that was rolled back is harmless: the slot is next given to the token with
   * that very sequence number.
   */
  async check(): Promise<void> {
    this.#flush();
    const control = this.mirror.buffers.slice(0, 2);
    const [slots, free] = (await this.#read(control)) as [Uint32Array, Uint32Array];
    expectSame([slots, free], control);
    const { capacity } = this.shape;
    const { pinned, visual, dialogue } = this.ring.counts;
    const used = pinned + visual + dialogue;
    for (let head = 0; head < this.mirror.heads; head++) {
      const held = this.mirror.held(head, slots);
      expect(held.length, 'tokens held').toBe(used);
      expect(new Set(held.map(({ seq }) => seq)).size, 'sequence numbers').toBe(used);
      const places = held.map(({ slot }) => slot);
      for (let i = 0; i < capacity - used; i++) {
        places.push(free[head * capacity + ((this.ring.nextSeq + i) % capacity)]!);
      }
      expect(new Set(places).size, 'owned and free slots').toBe(capacity);
      for (let slot = 0; slot < capacity; slot++) {
        const seq = slots[(head * capacity + slot) * SLOT_WORDS]!;
        if (seq === EMPTY || seq < this.ring.nextSeq) continue;
        expect(seq, 'rolled back').toBeLessThan(this.ring.nextSeq + capacity - used);
        expect(free[head * capacity + (seq % capacity)], 'rolled back').toBe(slot);
      }
    }
  }

  /** Looks through the lens. @returns that, and the tokens that each head holds, as read back. */
  async look(seen: readonly SeenFrame[]): Promise<{ lens: MemoryLens; held: Held[][] }> {
    this.#flush();
    const lens = await this.#lens.look(seen);
    const [slots] = await this.#read(this.mirror.buffers.slice(0, 1));
    const held = Array.from({ length: this.mirror.heads }, (_, head) => this.mirror.held(head, slots));
    return { lens, held };
  }

  /** Every byte of keys and values is where it was put. */
  async checkRows(): Promise<void> {
    this.#flush();
    const rows = this.mirror.buffers.slice(2);
    expectSame(await this.#read(rows), rows);
  }

  /** Reads the ring as saving a session does. */
  async save(): Promise<SavedRing> {
    this.#flush();
    const { ring, shape } = this;
    const bytes = new Uint8Array(savedRingBytes(shape, ring.scanSlots));
    await readRing(this.#device, this.#ledger, shape, ring.scanSlots, bytes);
    const oracle = {
      seed: this.#seed,
      pooling: this.#pooling,
      tarKeys: this.#tarKeys,
      frames: [...this.#frames],
      evenFrames: [...this.#evenFrames],
    };
    return { bytes, state: ring.state, mirror: this.mirror.state, oracle };
  }

  /** Restores ring and mirror and checks that they agree. */
  async restore({ bytes, state, mirror, oracle }: SavedRing): Promise<void> {
    this.#flush();
    const { ring, shape } = this;
    ring.restore(state);
    await writeRing(this.#device, this.#ledger, shape, ring.scanSlots, bytes);
    this.mirror.restore(mirror, ring.scanSlots);
    this.#seed = oracle.seed;
    this.#pooling = oracle.pooling;
    this.#tarKeys = oracle.tarKeys;
    this.#frames = [...oracle.frames];
    this.#evenFrames = [...oracle.evenFrames];
    await this.check();
    await this.checkRows();
  }

  #clear(): void {
    this.#frames = [];
    this.#evenFrames = [];
    this.mirror.clear();
  }

  /** Brings the GPU's slots and rows up to what was put since it last worked on them. */
  #flush(): void {
    if (!this.#written) return;
    for (const [name, words] of this.mirror.buffers) {
      if (name !== 'ring.free') this.#device.queue.writeBuffer(this.#ledger.get(name), 0, words);
    }
    this.#written = false;
  }

  /** Reads buffers back one after the other, without creating any. */
  async #read(buffers: readonly MirroredBuffer[]): Promise<Uint32Array[]> {
    const encoder = this.#device.createCommandEncoder();
    const ends: number[] = [];
    let total = 0;
    for (const [name, { byteLength }] of buffers) {
      encoder.copyBufferToBuffer(this.#ledger.get(name), 0, this.#staging, total, byteLength);
      total += byteLength;
      ends.push(total / 4);
    }
    this.#device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ, 0, total);
    const words = new Uint32Array(this.#staging.getMappedRange(0, total).slice(0));
    this.#staging.unmap();
    return ends.map((end, i) => words.subarray(ends[i - 1] ?? 0, end));
  }
}

function expectSame(found: readonly Uint32Array[], buffers: readonly MirroredBuffer[]): void {
  buffers.forEach(([name, words], i) => {
    const { buffer, byteOffset, byteLength } = found[i]!;
    const same = Buffer.compare(Buffer.from(buffer, byteOffset, byteLength), Buffer.from(words.buffer)) === 0;
    expect(same, `${name} as mirrored`).toBe(true);
  });
}

function distance(from: Position, to: Position): Position {
  return [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
}
