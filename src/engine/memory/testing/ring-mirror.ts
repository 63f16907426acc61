// The mirror of a ring: its slots, free lists, keys and values in TypeScript, filled with random rows and emptied by
// the rules that the decoder and the ring's kernels follow. It knows nothing of a GPU.

import type { Position } from '../../decoder/rotary';
import { TEXT } from '../../gpu/step';
import type { Allocation, Ring } from '../ring';
import { EMPTY, type RingShape, rowWords, SLOT_WORDS } from '../ring-shape';
import type { Token } from './oracle';
import { halfValue, RandomRows, rowAsWords, wordsAsRow } from './random-rows';

/** A token as the mirror has it. */
export interface Held {
  readonly slot: number;
  readonly seq: number;
  readonly frame: number;
  readonly patch: number;
}

/** Where the keys of a token stand. */
export interface Place {
  readonly now: Position;
  /** Where they were put, and what they were then, `[layers · kvHeads]`. */
  readonly first: Position;
  readonly keys: readonly Uint32Array[];
  /** How often they were turned since. */
  readonly turns: number;
}

/** A buffer of the ring by its name, as it should be. */
export type MirroredBuffer = readonly [name: string, words: Uint32Array<ArrayBuffer>];

/** A copy of all that a mirror holds. */
export interface MirrorState {
  readonly words: readonly Uint32Array<ArrayBuffer>[];
  readonly places: ReadonlyMap<number, Place>;
}

export class RingMirror {
  readonly shape: RingShape;
  /** Slots and free lists, then keys layer by layer, then values. */
  readonly buffers: readonly MirroredBuffer[];
  /** By sequence number, of the tokens that were put with positions. */
  places = new Map<number, Place>();
  readonly #ring: Ring;
  readonly #rows: RandomRows;
  readonly #slots: Uint32Array<ArrayBuffer>;
  readonly #free: Uint32Array<ArrayBuffer>;
  readonly #keys: Uint32Array<ArrayBuffer>[];
  readonly #values: Uint32Array<ArrayBuffer>[];

  /** @param ring asked only how many tokens it has handed slots to. */
  constructor(ring: Ring, seed: number) {
    const { shape } = ring;
    this.shape = shape;
    this.#ring = ring;
    this.#rows = new RandomRows(seed, shape.headDim);
    const slots = this.heads * shape.capacity;
    const words = shape.kvHeads * shape.capacity * rowWords(shape);
    this.#slots = new Uint32Array(slots * SLOT_WORDS);
    this.#free = new Uint32Array(slots);
    this.#keys = Array.from({ length: shape.layers }, () => new Uint32Array(words));
    this.#values = Array.from({ length: shape.layers }, () => new Uint32Array(words));
    this.buffers = [
      ['ring.slots', this.#slots],
      ['ring.free', this.#free],
      ...this.#keys.map((keys, layer) => [`ring.keys.${layer}`, keys] as const),
      ...this.#values.map((values, layer) => [`ring.values.${layer}`, values] as const),
    ];
    this.clear();
  }

  /** (layer, head) pairs. */
  get heads(): number {
    return this.shape.layers * this.shape.kvHeads;
  }

  clear(): void {
    this.places = new Map();
    for (let i = 0; i < this.#free.length; i++) {
      this.#free[i] = i % this.shape.capacity;
      this.#slots.set([EMPTY, TEXT, 0, 0, 0], i * SLOT_WORDS);
    }
  }

  /** Puts random keys and values into the slots that the ring handed out. */
  put(
    { firstSeq, freeHead, frame }: Allocation,
    tokens: number,
    positions?: readonly Position[],
    time = frame,
  ): void {
    const { kvHeads, capacity, kvFormat } = this.shape;
    const put = Array.from({ length: tokens }, (): Uint32Array[] => []);
    for (let head = 0; head < this.heads; head++) {
      for (let t = 0; t < tokens; t++) {
        const slot = this.#free[head * capacity + ((freeHead + t) % capacity)]!;
        const value = this.#rows.draw(`value ${head}`);
        const key = rowAsWords(this.#rows.draw(`key ${head} ${t}`), kvFormat);
        this.key(head, slot).set(key);
        put[t]!.push(key);
        this.#row(this.#values[Math.floor(head / kvHeads)]!, head, slot).set(rowAsWords(value, kvFormat));
        const norm = Math.sqrt(value.reduce((sum, bits) => sum + halfValue(bits) ** 2, 0));
        const [normBits] = new Uint32Array(Float32Array.of(norm).buffer);
        const at = head * capacity + slot;
        this.#slots.set([firstSeq + t, frame, t, normBits!, time], at * SLOT_WORDS);
      }
    }
    positions?.forEach((position, t) => {
      this.places.set(firstSeq + t, { now: position, first: position, keys: put[t]!, turns: 0 });
    });
  }

  /**
   * What a (layer, head) holds: tokens that are in use, i.e. not EMPTY and not rolled back.
   * @param slots the mirror's if left out, or as read back.
   */
  held(head: number, slots: Uint32Array = this.#slots): Held[] {
    const { capacity } = this.shape;
    const held: Held[] = [];
    for (let slot = 0; slot < capacity; slot++) {
      const at = (head * capacity + slot) * SLOT_WORDS;
      const seq = slots[at]!;
      if (seq < this.#ring.nextSeq) held.push({ slot, seq, frame: slots[at + 1]!, patch: slots[at + 2]! });
    }
    return held;
  }

  /** The visual tokens of a (layer, head), for the oracle. */
  visualTokens(head: number): Token[] {
    const { capacity, kvFormat } = this.shape;
    const norms = new Float32Array(this.#slots.buffer);
    return this.held(head)
      .filter(({ frame }) => frame !== TEXT)
      .map(({ slot, seq, frame, patch }) => {
        const key = wordsAsRow(this.key(head, slot), kvFormat);
        return { seq, frame, patch, key, valueNorm: norms[(head * capacity + slot) * SLOT_WORDS + 3]! };
      });
  }

  /**
   * The words of one key, to read or write.
   * @param keys of each layer: the mirror's if left out, or as read back.
   */
  key(head: number, slot: number, keys: readonly Uint32Array[] = this.#keys): Uint32Array {
    return this.#row(keys[Math.floor(head / this.shape.kvHeads)]!, head, slot);
  }

  /** Where the next freed slot is appended, not yet wrapped around. */
  get freeTail(): number {
    return this.#ring.nextSeq + this.shape.capacity - this.held(0).length;
  }

  /** Frees tokens in slot order, as the kernels do. */
  release(head: number, tail: number, leaves: (token: Held) => boolean): void {
    const { capacity } = this.shape;
    this.held(head)
      .filter(leaves)
      .forEach(({ slot }, i) => {
        this.#slots[(head * capacity + slot) * SLOT_WORDS] = EMPTY;
        this.#free[head * capacity + ((tail + i) % capacity)] = slot;
      });
  }

  get state(): MirrorState {
    return { words: this.buffers.map(([, words]) => words.slice()), places: new Map(this.places) };
  }

  /** Takes over what a mirror held in its first `scanSlots` slots; the others are EMPTY, their rows as before. */
  restore({ words: saved, places }: MirrorState, scanSlots: number): void {
    this.clear();
    this.places = new Map(places);
    const { capacity, kvHeads } = this.shape;
    for (const [i, [name, words]] of this.buffers.entries()) {
      const heads = i < 2 ? this.heads : kvHeads;
      const slotWords = words.length / heads / capacity;
      const used = name === 'ring.free' ? capacity : scanSlots;
      for (let head = 0; head < heads; head++) {
        const first = head * capacity * slotWords;
        words.set(saved[i]!.subarray(first, first + used * slotWords), first);
      }
    }
  }

  #row(rows: Uint32Array, head: number, slot: number): Uint32Array {
    const { kvHeads, capacity } = this.shape;
    const words = rowWords(this.shape);
    const row = (head % kvHeads) * capacity + slot;
    return rows.subarray(row * words, (row + 1) * words);
  }
}
