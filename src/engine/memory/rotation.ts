// What rotary positions do to cached keys, on the GPU alone. Rotations compose: a key that was cached at position p
// is brought to q by the angle of q − p, and has its rotation undone by that of p. Which tokens stand how far from
// where they are wanted, `positions.ts` says.

import type { Rope } from '../decoder/hyper';
import { rotaryAxes, rotaryFrequency } from '../decoder/rotary';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { type Program, ProgramBuilder, submit } from '../gpu/program';
import type { Move } from './positions';
import { type RingShape, ringLayer } from './ring-shape';

/** Moves one pass can carry; see shaders/lib/moves.wesl. */
const MAX_MOVES = 64;
const HEADER_WORDS = 4;

/** The lines of the memory plan: `ring.moves`, and `ring.turns`, how positions turn each rotary pair. */
export function planRotation(shape: RingShape): BufferSpec[] {
  return [
    {
      name: 'ring.moves',
      kind: 'uniform',
      purpose: 'control',
      bytes: (HEADER_WORDS + MAX_MOVES * 4) * 4,
    },
    storage('ring.turns', 'control', shape.headDim),
  ];
}

/**
 * The angle of each rotary pair and whether time turns it, four pairs at a time: see shaders/lib/turn.wesl. Angles are
 * 32-bit fractions of a turn: products with a distance wrap around exactly as angles do. Rounding makes one wrong by
 * at most π · 2^-32 a position, 10^-4 at 2^17 positions.
 */
function turnTable(rope: Rope): Uint32Array<ArrayBuffer> {
  const axes = rotaryAxes(rope);
  const table = new Uint32Array(2 * axes.length);
  axes.forEach((axis, pair) => {
    const turn = rotaryFrequency(pair, axes.length, rope.ropeTheta) / (2 * Math.PI);
    const at = Math.floor(pair / 4) * 8 + (pair % 4);
    table[at] = Math.round(turn * 2 ** 32) >>> 0;
    table[at + 4] = axis === 0 ? 1 : 0;
  });
  return table;
}

type Grids = { readonly scanSlots: number };

/** The rotation of one ring's keys. */
export class KeyRotation {
  readonly #device: GPUDevice;
  readonly #moves: GPUBuffer;
  readonly #capacity: number;
  readonly #rebase: Program<Grids>;
  readonly #locate: Program<Grids>;

  private constructor(
    gpu: Gpu,
    ledger: Ledger,
    shape: RingShape,
    programs: { rebase: Program<Grids>; locate: Program<Grids> },
  ) {
    this.#device = gpu.device;
    this.#moves = ledger.get('ring.moves');
    this.#capacity = shape.capacity;
    this.#rebase = programs.rebase;
    this.#locate = programs.locate;
  }

  /** Compiles the kernels. The ledger must hold the buffers of `planRing` and {@link planRotation}. */
  static async create(gpu: Gpu, ledger: Ledger, shape: RingShape, rope: Rope): Promise<KeyRotation> {
    const { layers, kvHeads, headDim, capacity, kvFormat } = shape;
    gpu.device.queue.writeBuffer(ledger.get('ring.turns'), 0, turnTable(rope));
    const moves = ledger.get('ring.moves');
    const rebase = new ProgramBuilder<Grids>();
    for (let index = 0; index < layers; index++) {
      const { keys, slots } = ringLayer(ledger, shape, index);
      rebase.add(
        {
          module: 'ring_rebase',
          conditions: { kv_f32: kvFormat === 'f32' },
          constants: { capacity, head_dim: headDim },
        },
        { moves, turns: ledger.get('ring.turns'), keys, slots },
        ({ scanSlots }) => [Math.ceil((scanSlots * headDim) / 8 / 64), kvHeads],
      );
    }
    const locate = new ProgramBuilder<Grids>().add(
      { module: 'ring_turned', constants: { capacity } },
      { moves, slots: ledger.get('ring.slots'), turned: ledger.get('ring.index') },
      ({ scanSlots }) => [Math.ceil(scanSlots / 64), layers * kvHeads],
    );
    const [rebaseProgram, locateProgram] = await Promise.all([
      rebase.build(gpu.device, 'ring rebase'),
      locate.build(gpu.device, 'ring locate'),
    ]);
    return new KeyRotation(gpu, ledger, shape, { rebase: rebaseProgram, locate: locateProgram });
  }

  /**
   * Submits the turning of the keys that `moves` concern: one compute pass for every {@link MAX_MOVES}.
   * @param nextSeq sequence number of the next token; what claims it or a later one is no token.
   */
  rebase(moves: readonly Move[], nextSeq: number): void {
    this.#submit('ring rebase', this.#rebase, moves, nextSeq);
  }

  /**
   * Submits the writing of how far each visual token's key is turned, for a prune that undoes it.
   * @param ways of the videos back to position 0: `Positions.waysBack`.
   */
  locate(ways: readonly Move[], nextSeq: number): void {
    this.#submit('ring locate', this.#locate, ways, nextSeq);
  }

  #submit(label: string, program: Program<Grids>, moves: readonly Move[], nextSeq: number): void {
    for (let at = 0; at < moves.length; at += MAX_MOVES) {
      const part = moves.slice(at, at + MAX_MOVES);
      const words = new Uint32Array(HEADER_WORDS + MAX_MOVES * 4);
      words.set([part.length, moves[at + MAX_MOVES]?.first ?? nextSeq]);
      part.forEach(({ first, shift, zeroBefore, zeroAfter }, i) => {
        words.set([first, shift, zeroBefore, zeroAfter], HEADER_WORDS + i * 4);
      });
      this.#device.queue.writeBuffer(this.#moves, 0, words);
      const scanSlots = Math.min(nextSeq, this.#capacity);
      submit(this.#device, label, (pass) => program.record(pass, { scanSlots }));
    }
  }
}
