// A ring with its mirror: puts random tokens into the GPU's ring by the rule the decoder follows, keeps a copy
// of every slot, row and free list in TypeScript, and checks the GPU's against it after each release.

import { expect } from 'vitest';
import type { Gpu } from '../../gpu/device';
import { Ledger } from '../../gpu/ledger';
import { TEXT } from '../../gpu/step';
import { pruneTarget } from '../budget';
import { type Region, Ring, type RingState } from '../ring';
import { EMPTY, planRing, type RingShape, rowWords, SLOT_WORDS } from '../ring-shape';
import { planSnapshot, readRing, savedRingBytes, writeRing } from '../snapshot';
import { keptTokens, spreadFrames, type Token } from './oracle';
import { halfValue, RandomRows, rowAsWords, wordsAsRow } from './random-rows';

/** A token as the mirror has it. */
interface Held {
  readonly slot: number;
  readonly seq: number;
  readonly frame: number;
  readonly patch: number;
}

/** A saved ring with the mirror's own copy of it. */
export interface SavedRing {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly state: RingState;
  readonly mirror: readonly Uint32Array<ArrayBuffer>[];
  readonly oracle: {
    readonly seed: number;
    readonly pooling: boolean;
    readonly frames: readonly number[];
    readonly evenFrames: readonly number[];
  };
}

export class MirroredRing {
  readonly ring: Ring;
  readonly shape: RingShape;
  /** Mirrors of ring.slots, ring.free, and each layer's keys and values. */
  readonly slots: Uint32Array<ArrayBuffer>;
  readonly free: Uint32Array<ArrayBuffer>;
  readonly keys: Uint32Array<ArrayBuffer>[];
  readonly values: Uint32Array<ArrayBuffer>[];
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #staging: GPUBuffer;
  readonly #rows: RandomRows;
  /**
   * False: reads the GPU back only where several outcomes of a prune would be right, and when told to check. Reading
   * back takes most of the time of a small ring.
   */
  eager = true;
  /** Whether tokens were put since the last flush. */
  #written = false;
  #seed = 0;
  #pooling = false;
  /** Sequence number of the first token of each frame put since the last reset; rolled back ones are put again. */
  #frames: number[] = [];
  /** What the oracle of uniform retention goes by. */
  #evenFrames: number[] = [];

  private constructor(gpu: Gpu, ledger: Ledger, ring: Ring, seed: number) {
    const { shape } = ring;
    this.#device = gpu.device;
    this.#ledger = ledger;
    this.shape = shape;
    this.ring = ring;
    this.#rows = new RandomRows(seed, shape.headDim);
    const slots = this.heads * shape.capacity;
    const words = shape.kvHeads * shape.capacity * rowWords(shape);
    this.slots = new Uint32Array(slots * SLOT_WORDS);
    this.free = new Uint32Array(slots);
    this.keys = Array.from({ length: shape.layers }, () => new Uint32Array(words));
    this.values = Array.from({ length: shape.layers }, () => new Uint32Array(words));
    this.#staging = this.#device.createBuffer({
      size: Math.max(this.slots.byteLength + this.free.byteLength, shape.layers * words * 8),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    this.#clear();
  }

  static async create(
    gpu: Gpu,
    shape: RingShape,
    visualCapacity: number,
    seed: number,
  ): Promise<MirroredRing> {
    const ledger = await Ledger.create(gpu.device, [...planRing(shape), planSnapshot()]);
    return new MirroredRing(gpu, ledger, await Ring.create(gpu, ledger, shape, visualCapacity), seed);
  }

  dispose(): void {
    this.#staging.destroy();
    this.#ledger.dispose();
  }

  /** Everything the mirror copies. */
  get #mirror(): readonly Uint32Array<ArrayBuffer>[] {
    return [this.slots, this.free, ...this.keys, ...this.values];
  }

  /** (layer, head) pairs. */
  get heads(): number {
    return this.shape.layers * this.shape.kvHeads;
  }

  configure(change: Parameters<Ring['configure']>[0]): void {
    this.ring.configure(change);
    this.#seed = change.seed ?? this.#seed;
    this.#pooling = change.pooling ?? this.#pooling;
  }

  /** Empties ring and mirror and checks that they agree. */
  async reset(): Promise<void> {
    this.#flush();
    this.ring.reset();
    this.#clear();
    if (this.eager) await this.check();
  }

  /** Allocates `tokens` and puts random ones; they reach the GPU before it next works on the ring. */
  put(region: Region, tokens = this.shape.tokensPerFrame): void {
    const { kvHeads, capacity, kvFormat } = this.shape;
    const words = rowWords(this.shape);
    const { firstSeq, freeHead, frame } = this.ring.allocate(region, tokens);
    if (region === 'visual') {
      this.#dropRolledBack(firstSeq);
      this.#frames.push(firstSeq);
      this.#evenFrames.push(frame);
    }
    for (let head = 0; head < this.heads; head++) {
      const layer = Math.floor(head / kvHeads);
      for (let t = 0; t < tokens; t++) {
        const slot = this.free[head * capacity + ((freeHead + t) % capacity)]!;
        const value = this.#rows.draw(`value ${head}`);
        const key = this.#rows.draw(`key ${head} ${t}`);
        const row = (head % kvHeads) * capacity + slot;
        this.keys[layer]!.set(rowAsWords(key, kvFormat), row * words);
        this.values[layer]!.set(rowAsWords(value, kvFormat), row * words);
        const norm = Math.sqrt(value.reduce((sum, bits) => sum + halfValue(bits) ** 2, 0));
        const [normBits] = new Uint32Array(Float32Array.of(norm).buffer);
        const at = head * capacity + slot;
        this.slots.set([firstSeq + t, frame, t, normBits!], at * SLOT_WORDS);
      }
    }
    this.#written = true;
  }

  /**
   * Makes room for a frame. If that prunes, every head must have kept what the oracle keeps, and the rest be
   * as it was. Returns whether it pruned.
   */
  async makeRoom(): Promise<boolean> {
    const { ring, shape, heads } = this;
    if (ring.counts.visual + shape.tokensPerFrame <= ring.budget) {
      expect(ring.makeRoom()).toBe(false);
      return false;
    }
    this.#flush();
    const before = Array.from({ length: heads }, (_, head) => this.visualTokens(head));
    const tail = this.#freeTail();
    expect(ring.makeRoom()).toBe(true);
    const keep = pruneTarget(ring.budget, shape.tokensPerFrame);
    expect(ring.counts.visual).toBe(keep);
    this.#dropRolledBack(ring.nextSeq);
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
    const slots = this.eager || !sure ? (await this.#download()).slots : undefined;
    for (let head = 0; head < heads; head++) {
      const answer = slots ? this.#kept(slots, head, right[head]!) : right[head]![0]!;
      const keeping = new Set(answer);
      this.#release(head, tail, ({ seq, frame }) => frame !== TEXT && !keeping.has(seq));
    }
    if (this.eager) await this.check();
    return true;
  }

  /** The visual tokens that `head` kept on the GPU: one of the right answers. */
  #kept(slots: Uint32Array, head: number, right: readonly number[][]): readonly number[] {
    const found = this.#held(slots, head).filter(({ frame }) => frame !== TEXT);
    const kept = found.map(({ seq }) => seq).sort((a, b) => a - b);
    const answer = right.find((seqs) => seqs.join() === kept.join()) ?? right[0]!;
    expect(kept, `kept by head ${head} at prune ${this.ring.prunes}`).toEqual(answer);
    return answer;
  }

  /** Drops dialogue in ring and mirror and checks that they agree. */
  async dropDialogue(firstSeq: number, endSeq: number): Promise<number> {
    this.#flush();
    const tail = this.#freeTail();
    const dropped = this.ring.dropDialogue(firstSeq, endSeq);
    for (let head = 0; head < this.heads; head++) {
      this.#release(head, tail, ({ seq, frame }) => frame === TEXT && seq >= firstSeq && seq < endSeq);
    }
    if (this.eager) await this.check();
    return dropped;
  }

  /**
   * Slots and free lists equal the mirror's, and each slot is either owned by one token or free, once. What a
   * free slot still says of a token that was rolled back is harmless: the slot is next given to the token with
   * that very sequence number.
   */
  async check(): Promise<void> {
    this.#flush();
    const { slots, free } = await this.#download();
    expect(sameWords(slots, this.slots), 'slots').toBe(true);
    expect(sameWords(free, this.free), 'free lists').toBe(true);
    const { capacity } = this.shape;
    const { pinned, visual, dialogue } = this.ring.counts;
    const used = pinned + visual + dialogue;
    for (let head = 0; head < this.heads; head++) {
      const held = this.#held(slots, head);
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

  /** Every byte of keys and values is where it was put. */
  async checkRows(): Promise<void> {
    this.#flush();
    const { layers } = this.shape;
    const names = Array.from({ length: layers }, (_, layer) => [
      `ring.keys.${layer}`,
      `ring.values.${layer}`,
    ]);
    const bytes = this.keys[0]!.byteLength;
    const rows = await this.#read(names.flat().map((name) => [name, bytes]));
    for (let layer = 0; layer < layers; layer++) {
      const [keys, values] = [2 * layer, 2 * layer + 1].map((i) =>
        rows.subarray((i * bytes) / 4, ((i + 1) * bytes) / 4),
      );
      expect(sameWords(keys!, this.keys[layer]!), 'keys').toBe(true);
      expect(sameWords(values!, this.values[layer]!), 'values').toBe(true);
    }
  }

  /** Reads the ring as saving a session does. */
  async save(): Promise<SavedRing> {
    this.#flush();
    const { ring, shape } = this;
    const bytes = new Uint8Array(savedRingBytes(shape, ring.scanSlots));
    await readRing(this.#device, this.#ledger, shape, ring.scanSlots, bytes);
    const mirror = this.#mirror.map((words) => words.slice());
    const oracle = {
      seed: this.#seed,
      pooling: this.#pooling,
      frames: [...this.#frames],
      evenFrames: [...this.#evenFrames],
    };
    return { bytes, state: ring.state, mirror, oracle };
  }

  /** Restores ring and mirror and checks that they agree; slots that were never used are EMPTY, their rows as before. */
  async restore({ bytes, state, mirror, oracle }: SavedRing): Promise<void> {
    this.#flush();
    const { ring, shape } = this;
    ring.restore(state);
    await writeRing(this.#device, this.#ledger, shape, ring.scanSlots, bytes);
    this.#clear();
    const rows = rowWords(shape);
    const slotWords = [SLOT_WORDS, 1, ...mirror.slice(2).map(() => rows)];
    for (const [i, words] of this.#mirror.entries()) {
      const used = (i === 1 ? shape.capacity : ring.scanSlots) * slotWords[i]!;
      for (let head = 0; head < words.length; head += shape.capacity * slotWords[i]!) {
        words.set(mirror[i]!.subarray(head, head + used), head);
      }
    }
    this.#seed = oracle.seed;
    this.#pooling = oracle.pooling;
    this.#frames = [...oracle.frames];
    this.#evenFrames = [...oracle.evenFrames];
    await this.check();
    await this.checkRows();
  }

  /** What the mirror says a (layer, head) holds. */
  held(head: number): Held[] {
    return this.#held(this.slots, head);
  }

  /** The visual tokens of a (layer, head), for the oracle. */
  visualTokens(head: number): Token[] {
    const { kvHeads, capacity, kvFormat } = this.shape;
    const words = rowWords(this.shape);
    const keys = this.keys[Math.floor(head / kvHeads)]!;
    const norms = new Float32Array(this.slots.buffer);
    return this.#held(this.slots, head)
      .filter(({ frame }) => frame !== TEXT)
      .map(({ slot, seq, frame }) => {
        const row = ((head % kvHeads) * capacity + slot) * words;
        const at = (head * capacity + slot) * SLOT_WORDS;
        const key = wordsAsRow(keys.subarray(row, row + words), kvFormat);
        return { seq, frame, patch: this.slots[at + 2]!, key, valueNorm: norms[at + 3]! };
      });
  }

  /** Tokens that are in use: not EMPTY, and not rolled back. */
  #held(slots: Uint32Array, head: number): Held[] {
    const { capacity } = this.shape;
    const held: Held[] = [];
    for (let slot = 0; slot < capacity; slot++) {
      const at = (head * capacity + slot) * SLOT_WORDS;
      const seq = slots[at]!;
      if (seq < this.ring.nextSeq) held.push({ slot, seq, frame: slots[at + 1]!, patch: slots[at + 2]! });
    }
    return held;
  }

  #freeTail(): number {
    return this.ring.nextSeq + this.shape.capacity - this.#held(this.slots, 0).length;
  }

  /** Frees tokens in slot order, as the kernels do. */
  #release(head: number, tail: number, leaves: (token: Held) => boolean): void {
    const { capacity } = this.shape;
    this.#held(this.slots, head)
      .filter(leaves)
      .forEach(({ slot }, i) => {
        this.slots[(head * capacity + slot) * SLOT_WORDS] = EMPTY;
        this.free[head * capacity + ((tail + i) % capacity)] = slot;
      });
  }

  /** Forgets frames whose sequence numbers were taken back. */
  #dropRolledBack(nextSeq: number): void {
    this.#frames = this.#frames.filter((firstSeq) => firstSeq < nextSeq);
    this.#evenFrames = this.#evenFrames.filter((frame) => frame < this.#frames.length);
  }

  #clear(): void {
    this.#frames = [];
    this.#evenFrames = [];
    for (let i = 0; i < this.free.length; i++) {
      this.free[i] = i % this.shape.capacity;
      this.slots.set([EMPTY, TEXT, 0, 0], i * SLOT_WORDS);
    }
  }

  /** Brings the GPU's slots and rows up to what was put since it last worked on them. */
  #flush(): void {
    if (!this.#written) return;
    const write = (name: string, words: Uint32Array<ArrayBuffer>) =>
      this.#device.queue.writeBuffer(this.#ledger.get(name), 0, words);
    write('ring.slots', this.slots);
    this.keys.forEach((words, layer) => {
      write(`ring.keys.${layer}`, words);
    });
    this.values.forEach((words, layer) => {
      write(`ring.values.${layer}`, words);
    });
    this.#written = false;
  }

  async #download(): Promise<{ slots: Uint32Array; free: Uint32Array }> {
    const words = await this.#read([
      ['ring.slots', this.slots.byteLength],
      ['ring.free', this.free.byteLength],
    ]);
    return { slots: words.subarray(0, this.slots.length), free: words.subarray(this.slots.length) };
  }

  /** Reads buffers back one after the other, without creating any. */
  async #read(parts: readonly (readonly [name: string, bytes: number])[]): Promise<Uint32Array> {
    const encoder = this.#device.createCommandEncoder();
    let total = 0;
    for (const [name, bytes] of parts) {
      encoder.copyBufferToBuffer(this.#ledger.get(name), 0, this.#staging, total, bytes);
      total += bytes;
    }
    this.#device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ, 0, total);
    const words = new Uint32Array(this.#staging.getMappedRange(0, total).slice(0));
    this.#staging.unmap();
    return words;
  }
}

function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  return Buffer.compare(Buffer.from(a.buffer, a.byteOffset, a.byteLength), Buffer.from(b.buffer)) === 0;
}
