// Turns cached keys to new rotary positions, in place and on the GPU alone. Rotations compose, so a key that was
// cached at position p is brought to q by the angle of q − p; which tokens move how far, `positions.ts` says.

import type { DecoderHyper } from '../decoder/hyper';
import { rotaryFrequency } from '../decoder/rotary';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { type Program, ProgramBuilder, submit } from '../gpu/program';
import type { Move } from './positions';
import { type RingShape, ringLayer } from './ring-shape';

/** Moves one pass can carry; see shaders/ring_rebase.wesl. */
const MAX_MOVES = 64;
const HEADER_WORDS = 4;

/** The lines of the memory plan: `ring.moves`, and `ring.turns`, what each rotary pair turns a position. */
export function planRebase(shape: RingShape): BufferSpec[] {
  return [
    {
      name: 'ring.moves',
      kind: 'uniform',
      purpose: 'control',
      bytes: (HEADER_WORDS + MAX_MOVES * 4) * 4,
    },
    storage('ring.turns', 'control', shape.headDim / 2),
  ];
}

/** Rebases the keys of one ring. */
export class Rebase {
  readonly #device: GPUDevice;
  readonly #moves: GPUBuffer;
  readonly #capacity: number;
  readonly #program: Program<{ readonly scanSlots: number }>;

  private constructor(gpu: Gpu, ledger: Ledger, shape: RingShape, program: Program<{ scanSlots: number }>) {
    this.#device = gpu.device;
    this.#moves = ledger.get('ring.moves');
    this.#capacity = shape.capacity;
    this.#program = program;
  }

  /** Compiles the kernel. The ledger must hold the buffers of `planRing` and {@link planRebase}. */
  static async create(
    gpu: Gpu,
    ledger: Ledger,
    shape: RingShape,
    { ropeTheta, ropeSections }: Pick<DecoderHyper, 'ropeTheta' | 'ropeSections'>,
  ): Promise<Rebase> {
    const { layers, kvHeads, headDim, capacity, kvFormat } = shape;
    const pairs = headDim / 2;
    // A 32-bit fraction of a turn: products with a distance wrap around exactly as angles do. Rounding it makes an
    // angle wrong by at most π · 2^-32 a position, 10^-4 at 2^17 positions.
    const turns = Uint32Array.from(
      { length: pairs },
      (_, pair) => Math.round((rotaryFrequency(pair, pairs, ropeTheta) / (2 * Math.PI)) * 2 ** 32) >>> 0,
    );
    gpu.device.queue.writeBuffer(ledger.get('ring.turns'), 0, turns);
    const builder = new ProgramBuilder<{ readonly scanSlots: number }>();
    for (let index = 0; index < layers; index++) {
      const { keys, slots } = ringLayer(ledger, shape, index);
      builder.add(
        {
          module: 'ring_rebase',
          conditions: { kv_f32: kvFormat === 'f32' },
          constants: { capacity, head_dim: headDim, time_pairs: ropeSections[0] },
        },
        { moves: ledger.get('ring.moves'), turns: ledger.get('ring.turns'), keys, slots },
        ({ scanSlots }) => [Math.ceil((scanSlots * headDim) / 8 / 64), kvHeads],
      );
    }
    return new Rebase(gpu, ledger, shape, await builder.build(gpu.device, 'ring rebase'));
  }

  /**
   * Submits the turning of the keys that `moves` concern: one compute pass for every {@link MAX_MOVES}.
   * @param nextSeq sequence number of the next token; what claims it or a later one is no token.
   */
  submit(moves: readonly Move[], nextSeq: number): void {
    for (let at = 0; at < moves.length; at += MAX_MOVES) {
      const part = moves.slice(at, at + MAX_MOVES);
      const words = new Uint32Array(HEADER_WORDS + MAX_MOVES * 4);
      words.set([part.length, moves[at + MAX_MOVES]?.first ?? nextSeq]);
      part.forEach(({ first, shift, zeroBefore, zeroAfter }, i) => {
        words.set([first, shift, zeroBefore, zeroAfter], HEADER_WORDS + i * 4);
      });
      this.#device.queue.writeBuffer(this.#moves, 0, words);
      const scanSlots = Math.min(nextSeq, this.#capacity);
      submit(this.#device, 'ring rebase', (pass) => this.#program.record(pass, { scanSlots }));
    }
  }
}
