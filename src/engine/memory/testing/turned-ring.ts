// A ring whose keys are cached by the decoder's own kernel, at positions that are tracked: what a key was before it
// was turned, and where it stands, is known at any time.

import { expect } from 'vitest';
import type { TarKeys } from '../../contract';
import type { Rope } from '../../decoder/hyper';
import { type FrameShape, type Position, rotaryTable } from '../../decoder/rotary';
import { Ledger } from '../../gpu/ledger';
import { storage } from '../../gpu/memory-plan';
import { ProgramBuilder, submit } from '../../gpu/program';
import { planStep, TEXT, writeStep } from '../../gpu/step';
import { download, randomFloats, testGpu } from '../../gpu/testing/harness';
import type { Move } from '../positions';
import { type Region, Ring } from '../ring';
import { planRing, type RingShape, ringLayer, rowWords, SLOT_WORDS } from '../ring-shape';
import { KeyRotation, planRotation } from '../rotation';
import type { Token } from './oracle';
import { wordsAsRow } from './random-rows';
import type { TrackedStream } from './tracked-stream';
import { keyError, turnedKey } from './turned-key';

/** Rotary constants of the keys: one axis; or three, in sections, but for heads of 40, where they take turns. */
function ropeOf(headDim: number, { duration }: FrameShape): Rope {
  if (duration > 1) return { ropeTheta: 1e4, ropeSections: [headDim / 2, 0, 0] };
  return headDim === 40
    ? { ropeTheta: 1e4, ropeSections: [8, 6, 6], ropeInterleaved: true }
    : { ropeTheta: 1e4, ropeSections: [8, 4, headDim / 2 - 12] };
}

/** Rows that keys and values are taken from, over and over. */
const ROWS = 4099;

/** Puts keys into a ring as the decoder does, and rebases them. */
export class TurnedRing {
  readonly ring: Ring;
  readonly stream: TrackedStream;
  readonly #rope: Rope;
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #rotation: KeyRotation;
  readonly #write: (tokens: number) => void;
  readonly #rows: Float32Array;

  private constructor(
    device: GPUDevice,
    ledger: Ledger,
    ring: Ring,
    rotation: KeyRotation,
    stream: TrackedStream,
    write: (tokens: number) => void,
  ) {
    this.#device = device;
    this.#ledger = ledger;
    this.#rotation = rotation;
    this.#write = write;
    this.#rows = randomFloats(ROWS * ring.shape.headDim, 5);
    this.#rope = ropeOf(ring.shape.headDim, stream.frameShape);
    this.ring = ring;
    this.stream = stream;
  }

  static async create(shape: RingShape, visual: number, stream: TrackedStream): Promise<TurnedRing> {
    const gpu = await testGpu();
    const { layers, kvHeads, headDim, capacity, kvFormat } = shape;
    const block = Math.max(shape.tokensPerFrame, 16);
    const ledger = await Ledger.create(gpu.device, [
      ...planRing(shape),
      ...planRotation(shape),
      planStep('step'),
      storage('rotary', 'control', block * headDim),
      ...Array.from({ length: layers }, (_, layer) =>
        storage(`qkv.${layer}`, 'activations', block * 3 * kvHeads * headDim),
      ),
    ]);
    const builder = new ProgramBuilder<number>();
    for (let layer = 0; layer < layers; layer++) {
      const { keys, values, slots, free } = ringLayer(ledger, shape, layer);
      builder.add(
        {
          module: 'cache_write',
          conditions: { kv_f32: kvFormat === 'f32' },
          constants: { heads: kvHeads, kv_heads: kvHeads, head_dim: headDim, capacity },
        },
        {
          ...{ step: ledger.get('step'), qkv: ledger.get(`qkv.${layer}`), rotary: ledger.get('rotary') },
          ...{ keys, values, slots, free },
        },
        (tokens) => [Math.ceil((2 * kvHeads * headDim) / 8 / 64), tokens],
      );
    }
    const program = await builder.build(gpu.device, 'cache write');
    const write = (tokens: number) =>
      submit(gpu.device, 'cache write', (pass) => program.record(pass, tokens));
    const ring = await Ring.create(gpu, ledger, shape, visual, true);
    const rotation = await KeyRotation.create(gpu, ledger, shape, ropeOf(headDim, stream.frameShape));
    return new TurnedRing(gpu.device, ledger, ring, rotation, stream, write);
  }

  dispose(): void {
    this.#ledger.dispose();
  }

  makeRoom(count: number): void {
    this.submit(this.stream.makeRoom(count));
  }

  submit(moves: readonly Move[]): void {
    this.#rotation.rebase(moves, this.ring.nextSeq);
  }

  text(count: number, region: Region = 'dialogue'): void {
    this.#put(region, this.stream.text(count));
  }

  /** @param time as of `TrackedStream.frame`. */
  frame(time = this.stream.nextTime): void {
    this.#put('visual', this.stream.frame(time), time);
  }

  /** Makes room for a frame, undoing rotation if the ring is told to. @returns whether it pruned. */
  makeFrameRoom(): boolean {
    const { ring, stream } = this;
    return ring.makeRoom(() => this.#rotation.locate(stream.positions.waysBack, ring.nextSeq));
  }

  /** The largest error of any key held, as `keyError` has it. */
  async worstError(): Promise<number> {
    let worst = 0;
    for (const { layer, head, seq, key } of await this.#held()) {
      const want = turnedKey(this.#key(layer, head, seq), this.stream.at(seq), this.#rope);
      worst = Math.max(worst, keyError(key, want));
    }
    return worst;
  }

  /** Visual tokens of each (layer, head), their keys as cached, or those turned back to position 0. */
  async visualTokens(keys: TarKeys): Promise<Token[][]> {
    const { layers, kvHeads } = this.ring.shape;
    const tokens = Array.from({ length: layers * kvHeads }, (): Token[] => []);
    for (const { layer, head, seq, frame, patch, valueNorm, key } of await this.#held()) {
      if (frame === TEXT) continue;
      const back = this.stream.at(seq).map((position) => -position) as unknown as Position;
      const compared = keys === 'cached' ? key : turnedKey(key, back, this.#rope);
      tokens[layer * kvHeads + head]!.push({ seq, frame, patch, key: compared, valueNorm });
    }
    return tokens;
  }

  /** Every token of every head as the GPU has it. */
  async #held() {
    const { layers, kvHeads, capacity, kvFormat } = this.ring.shape;
    const words = rowWords(this.ring.shape);
    const slots = await download(this.#device, this.#ledger.get('ring.slots'));
    const norms = new Float32Array(slots.buffer);
    const held = [];
    for (let layer = 0; layer < layers; layer++) {
      const keys = await download(this.#device, this.#ledger.get(`ring.keys.${layer}`));
      for (let row = 0; row < kvHeads * capacity; row++) {
        const at = (layer * kvHeads * capacity + row) * SLOT_WORDS;
        const [seq, frame, patch] = slots.subarray(at, at + 3) as unknown as [number, number, number];
        if (seq >= this.ring.nextSeq) continue;
        const key = wordsAsRow(keys.subarray(row * words, (row + 1) * words), kvFormat);
        const head = Math.floor(row / capacity);
        held.push({ layer, head, seq, frame, patch, valueNorm: norms[at + 3]!, key });
      }
    }
    const { pinned, visual, dialogue } = this.ring.counts;
    expect(held.length).toBe((pinned + visual + dialogue) * layers * kvHeads);
    return held;
  }

  #key(layer: number, head: number, seq: number): Float32Array {
    const { headDim } = this.ring.shape;
    const row = (seq * 31 + layer * 7 + head * 3) % ROWS;
    return this.#rows.subarray(row * headDim, (row + 1) * headDim);
  }

  #put(region: Region, positions: readonly Position[], time?: number): void {
    const { layers, kvHeads, headDim } = this.ring.shape;
    const { queue } = this.#device;
    const place = this.ring.allocate(region, positions.length);
    const width = 3 * kvHeads * headDim;
    for (let layer = 0; layer < layers; layer++) {
      const qkv = new Float32Array(positions.length * width);
      for (let token = 0; token < positions.length; token++) {
        for (let head = 0; head < kvHeads; head++) {
          const key = this.#key(layer, head, place.firstSeq + token);
          qkv.set(key, token * width + (kvHeads + head) * headDim);
          qkv.set(key, token * width + (2 * kvHeads + head) * headDim);
        }
      }
      queue.writeBuffer(this.#ledger.get(`qkv.${layer}`), 0, qkv);
    }
    queue.writeBuffer(this.#ledger.get('rotary'), 0, rotaryTable(positions, { headDim, ...this.#rope }));
    writeStep(this.#device, this.#ledger.get('step'), { ...place, time, tokens: positions.length });
    this.#write(positions.length);
  }
}
