// A ring with its mirror: puts random tokens into the GPU's ring by the rule the decoder follows, keeps a copy
// of every slot, row and free list in TypeScript, and checks the GPU's against it after each release.

import { expect } from 'vitest';
import type { Gpu } from '../../gpu/device';
import { Ledger } from '../../gpu/ledger';
import { TEXT } from '../../gpu/step';
import { pruneTarget } from '../budget';
import { type Region, Ring } from '../ring';
import { EMPTY, planRing, type RingShape, rowWords, SLOT_WORDS } from '../ring-shape';
import { keptTokens, spreadFrames, type Token } from './oracle';
import { halfValue, RandomRows, rowAsWords, wordsAsRow } from './random-rows';

/** A token as the mirror has it. */
interface Held {
  readonly slot: number;
  readonly seq: number;
  readonly frame: number;
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
      size: Math.max(this.slots.byteLength + this.free.byteLength, words * 4),
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
    const ledger = await Ledger.create(gpu.device, planRing(shape));
    return new MirroredRing(gpu, ledger, await Ring.create(gpu, ledger, shape, visualCapacity), seed);
  }

  dispose(): void {
    this.#staging.destroy();
    this.#ledger.dispose();
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
    await this.check();
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
    const { slots } = await this.#download();
    for (let head = 0; head < heads; head++) {
      const found = this.#held(slots, head).filter(({ frame }) => frame !== TEXT);
      const kept = found.map(({ seq }) => seq).sort((a, b) => a - b);
      const right = keptTokens(ring.policy, before[head]!, keep, {
        tokensPerFrame,
        gridColumns,
        seed: this.#seed,
        evenFrames: this.#evenFrames,
        pooling: this.#pooling,
        layer: Math.floor(head / kvHeads),
        layers,
      });
      const answer = right.find((seqs) => seqs.join() === kept.join()) ?? right[0]!;
      expect(kept, `kept by head ${head} at prune ${ring.prunes}`).toEqual(answer);
      const keeping = new Set(answer);
      this.#release(head, tail, ({ seq, frame }) => frame !== TEXT && !keeping.has(seq));
    }
    await this.check();
    return true;
  }

  /** Drops dialogue in ring and mirror and checks that they agree. */
  async dropDialogue(firstSeq: number, endSeq: number): Promise<number> {
    this.#flush();
    const tail = this.#freeTail();
    const dropped = this.ring.dropDialogue(firstSeq, endSeq);
    for (let head = 0; head < this.heads; head++) {
      this.#release(head, tail, ({ seq, frame }) => frame === TEXT && seq >= firstSeq && seq < endSeq);
    }
    await this.check();
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
    for (let layer = 0; layer < this.shape.layers; layer++) {
      const rows = this.keys[layer]!.byteLength;
      const keys = await this.#read([[`ring.keys.${layer}`, rows]]);
      const values = await this.#read([[`ring.values.${layer}`, rows]]);
      expect(sameWords(keys, this.keys[layer]!), 'keys').toBe(true);
      expect(sameWords(values, this.values[layer]!), 'values').toBe(true);
    }
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
      if (seq < this.ring.nextSeq) held.push({ slot, seq, frame: slots[at + 1]! });
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
