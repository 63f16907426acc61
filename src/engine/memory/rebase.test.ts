// Keys after rebases, against the same keys turned to their new positions in double precision.

import { describe, expect, it } from 'vitest';
import { type Position, rotaryTable } from '../decoder/rotary';
import { Ledger } from '../gpu/ledger';
import { storage } from '../gpu/memory-plan';
import { ProgramBuilder, submit } from '../gpu/program';
import { planStep, writeStep } from '../gpu/step';
import { download, randomFloats, testGpu } from '../gpu/testing/harness';
import { TOLERANCE } from '../testing/tolerance';
import type { Move } from './positions';
import { planRebase, Rebase } from './rebase';
import { type Region, Ring } from './ring';
import { planRing, type RingShape, ringLayer, rowWords, SLOT_WORDS } from './ring-shape';
import { wordsAsRow } from './testing/random-rows';
import { TrackedStream } from './testing/tracked-stream';
import { turnedKey } from './testing/turned-key';

const ropeOf = (headDim: number) => ({
  ropeTheta: 1e4,
  ropeSections: [8, 4, headDim / 2 - 12] as const,
});
/** Rows that keys and values are taken from, over and over. */
const ROWS = 97;

/** Puts keys into a ring as the decoder does, and rebases them. */
class TurnedRing {
  readonly ring: Ring;
  readonly stream: TrackedStream;
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #rebase: Rebase;
  readonly #write: (tokens: number) => void;
  readonly #rows: Float32Array;

  private constructor(
    device: GPUDevice,
    ledger: Ledger,
    ring: Ring,
    rebase: Rebase,
    stream: TrackedStream,
    write: (tokens: number) => void,
  ) {
    this.#device = device;
    this.#ledger = ledger;
    this.#rebase = rebase;
    this.#write = write;
    this.#rows = randomFloats(ROWS * ring.shape.headDim, 5);
    this.ring = ring;
    this.stream = stream;
  }

  static async create(shape: RingShape, visual: number, stream: TrackedStream): Promise<TurnedRing> {
    const gpu = await testGpu();
    const { layers, kvHeads, headDim, capacity, kvFormat } = shape;
    const block = Math.max(shape.tokensPerFrame, 16);
    const ledger = await Ledger.create(gpu.device, [
      ...planRing(shape),
      ...planRebase(shape),
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
    const ring = await Ring.create(gpu, ledger, shape, visual);
    const rebase = await Rebase.create(gpu, ledger, shape, ropeOf(headDim));
    return new TurnedRing(gpu.device, ledger, ring, rebase, stream, write);
  }

  dispose(): void {
    this.#ledger.dispose();
  }

  makeRoom(count: number): void {
    this.submit(this.stream.makeRoom(count));
  }

  submit(moves: readonly Move[]): void {
    this.#rebase.submit(moves, this.ring.nextSeq);
  }

  text(count: number, region: Region = 'dialogue'): void {
    this.#put(region, this.stream.text(count));
  }

  frame(): void {
    this.#put('visual', this.stream.frame());
  }

  /** The largest error of any key held. */
  async worstError(): Promise<number> {
    const { layers, kvHeads, headDim, capacity, kvFormat } = this.ring.shape;
    const words = rowWords(this.ring.shape);
    const slots = await download(this.#device, this.#ledger.get('ring.slots'));
    let worst = 0;
    let held = 0;
    for (let layer = 0; layer < layers; layer++) {
      const keys = await download(this.#device, this.#ledger.get(`ring.keys.${layer}`));
      for (let row = 0; row < kvHeads * capacity; row++) {
        const seq = slots[(layer * kvHeads * capacity + row) * SLOT_WORDS]!;
        if (seq >= this.ring.nextSeq) continue;
        held++;
        const key = wordsAsRow(keys.subarray(row * words, (row + 1) * words), kvFormat);
        const want = turnedKey(
          this.#key(layer, Math.floor(row / capacity), seq),
          this.stream.at(seq),
          ropeOf(headDim),
        );
        for (let i = 0; i < headDim; i++) worst = Math.max(worst, Math.abs(key[i]! - want[i]!));
      }
    }
    const { pinned, visual, dialogue } = this.ring.counts;
    expect(held).toBe((pinned + visual + dialogue) * layers * kvHeads);
    return worst;
  }

  #key(layer: number, head: number, seq: number): Float32Array {
    const { headDim } = this.ring.shape;
    const row = (seq * 31 + layer * 7 + head * 3) % ROWS;
    return this.#rows.subarray(row * headDim, (row + 1) * headDim);
  }

  #put(region: Region, positions: readonly Position[]): void {
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
    queue.writeBuffer(this.#ledger.get('rotary'), 0, rotaryTable(positions, { headDim, ...ropeOf(headDim) }));
    writeStep(this.#device, this.#ledger.get('step'), { ...place, tokens: positions.length });
    this.#write(positions.length);
  }
}

describe.each(['f32', 'f16'] as const)('keys in %s', (kvFormat) => {
  const tolerance = kvFormat === 'f32' ? TOLERANCE.rebasedKeysF32 : TOLERANCE.rebasedKeysF16;

  const FRAMES = kvFormat === 'f32' ? 10_000 : 3_000;

  it(`${FRAMES} frames with turns between: keys are where they would be had they been cached there`, async () => {
    const shape = {
      layers: 1,
      kvHeads: 1,
      headDim: 32,
      capacity: 320,
      tokensPerFrame: 2,
      gridColumns: 2,
      kvFormat,
    };
    const stream = new TrackedStream(96, [1, 2]);
    const ring = await TurnedRing.create(shape, 256, stream);
    try {
      ring.text(5, 'pinned');
      const turns: [first: number, end: number][] = [];
      let worst = 0;
      for (let frame = 0; frame < FRAMES; frame++) {
        ring.ring.makeRoom();
        ring.makeRoom(2);
        ring.frame();
        expect(stream.positions.next).toBeLessThanOrEqual(96);
        if (frame % 41 === 40) {
          while (ring.ring.textRoom < 9 || stream.positions.textRoom < 9) {
            const [first, end] = turns.shift()!;
            ring.ring.dropDialogue(first, end);
            stream.drop(first, end);
          }
          ring.makeRoom(9);
          turns.push([ring.ring.nextSeq, ring.ring.nextSeq + 9]);
          ring.text(9);
        }
        if (frame % 999 === 998) worst = Math.max(worst, await ring.worstError());
      }
      worst = Math.max(worst, await ring.worstError());
      console.log(`${stream.positions.rebases} rebases, largest error of a key ${worst.toExponential(1)}`);
      expect(stream.positions.rebases).toBeGreaterThan(FRAMES / 50);
      expect(worst).toBeLessThan(tolerance);
    } finally {
      ring.dispose();
    }
  }, 600_000);

  const SMALL: RingShape = {
    layers: 2,
    kvHeads: 3,
    headDim: 40,
    capacity: 320,
    tokensPerFrame: 1,
    gridColumns: 1,
    kvFormat,
  };

  it('more segments than one pass carries', async () => {
    const stream = new TrackedStream(240, [1, 1]);
    const ring = await TurnedRing.create(SMALL, 160, stream);
    try {
      ring.text(3, 'pinned');
      stream.positions.policy = 'absolute';
      for (let i = 0; i < 80; i++) {
        ring.frame();
        ring.frame();
        ring.text(1);
      }
      expect(stream.positions.next).toBe(3 + 80 * 3);
      stream.positions.policy = 'rebased';
      ring.makeRoom(1);
      expect(stream.positions.next).toBe(3 + 80 * 2);
      expect(await ring.worstError()).toBeLessThan(tolerance);
    } finally {
      ring.dispose();
    }
  });

  it('over 30,000 positions and back', async () => {
    const stream = new TrackedStream(1000, [1, 1]);
    const ring = await TurnedRing.create(SMALL, 160, stream);
    try {
      ring.text(7);
      for (let i = 0; i < 100; i++) ring.frame();
      for (const shift of [-30_000, 12_345, 17_655]) {
        ring.submit([{ first: 0, shift, zeroBefore: 0, zeroAfter: 0 }]);
        for (const token of stream.tokens.values()) {
          token.position = token.position.map((position) => position - shift) as unknown as Position;
        }
        expect(await ring.worstError()).toBeLessThan(tolerance);
      }
      expect(stream.at(0)).toEqual([0, 0, 0]);
    } finally {
      ring.dispose();
    }
  });
});
