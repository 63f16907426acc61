// How much of some frames is still held, counted on the GPU from the slots' own words: no key or value is read, and a
// few numbers a frame come back, when somebody asks.

import type { MemoryLens, Moment } from '../contract';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { type Program, ProgramBuilder } from '../gpu/program';
import { MOST_MOMENTS, type SeenFrame } from './moments';
import type { Ring } from './ring';
import { writeRingControl } from './ring-control';
import type { RingShape } from './ring-shape';

const FRAMES = 'lens.frames';
const COUNTS = 'lens.counts';
const STAGING = 'lens.staging';

/** Fills up the list of frames; greater than every frame's number. */
const NO_FRAME = 0xffffffff;

/** Numbers counted for a frame: one a patch, and one for the frames that follow it. */
function countsPerFrame({ tokensPerFrame }: RingShape): number {
  return tokensPerFrame + 1;
}

/** The lens's lines of the memory plan: as large for an hour as for a second. */
export function planLens(shape: RingShape): BufferSpec[] {
  const words = MOST_MOMENTS * countsPerFrame(shape);
  return [
    storage(FRAMES, 'control', MOST_MOMENTS),
    storage(COUNTS, 'control', words),
    { name: STAGING, kind: 'staging', purpose: 'readback', bytes: words * 4 },
  ];
}

export class Lens {
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #ring: Ring;
  readonly #program: Program<number>;

  private constructor(gpu: Gpu, ledger: Ledger, ring: Ring, program: Program<number>) {
    this.#device = gpu.device;
    this.#ledger = ledger;
    this.#ring = ring;
    this.#program = program;
  }

  /** Compiles the kernel. The ledger must hold the buffers of `planRing` and {@link planLens}. */
  static async create(gpu: Gpu, ledger: Ledger, ring: Ring): Promise<Lens> {
    const { capacity, tokensPerFrame: tokens_per_frame, layers, kvHeads } = ring.shape;
    const program = await new ProgramBuilder<number>()
      .add(
        { module: 'ring_lens', constants: { capacity, tokens_per_frame, moments: MOST_MOMENTS } },
        {
          control: ledger.get('ring.control'),
          slots: ledger.get('ring.slots'),
          frames: ledger.get(FRAMES),
          counts: ledger.get(COUNTS),
        },
        (scanSlots) => [Math.ceil(scanSlots / 64), layers * kvHeads],
      )
      .build(gpu.device, 'ring lens');
    return new Lens(gpu, ledger, ring, program);
  }

  /**
   * Submits the counting at once, so that it tells of the ring as it is now, whatever is submitted later. One at a
   * time: the next only after this one's promise has settled.
   * @param seen the frames to tell apart, ascending, at most MOST_MOMENTS.
   */
  async look(seen: readonly SeenFrame[]): Promise<MemoryLens> {
    const { layers, kvHeads, tokensPerFrame, gridColumns } = this.#ring.shape;
    return {
      heads: layers * kvHeads,
      rows: tokensPerFrame / gridColumns,
      columns: gridColumns,
      moments: seen.length > 0 ? await this.#count(seen) : [],
    };
  }

  async #count(seen: readonly SeenFrame[]): Promise<Moment[]> {
    const [counts, staging] = [this.#ledger.get(COUNTS), this.#ledger.get(STAGING)];
    const { nextSeq, scanSlots, shape } = this.#ring;
    const perFrame = countsPerFrame(shape);
    const bytes = seen.length * perFrame * 4;
    const named = new Uint32Array(MOST_MOMENTS).fill(NO_FRAME);
    named.set(seen.map(({ frame }) => frame));
    this.#device.queue.writeBuffer(this.#ledger.get(FRAMES), 0, named);
    writeRingControl(this.#device, this.#ledger.get('ring.control'), { nextSeq, scanSlots });
    const encoder = this.#device.createCommandEncoder({ label: 'ring lens' });
    encoder.clearBuffer(counts);
    const pass = encoder.beginComputePass({ label: 'ring lens' });
    this.#program.record(pass, scanSlots);
    pass.end();
    encoder.copyBufferToBuffer(counts, 0, staging, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);

    await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    const read = new Uint32Array(staging.getMappedRange(0, bytes).slice(0));
    staging.unmap();
    return seen.map((moment, i) => {
      const last = (i + 1) * perFrame - 1;
      return { ...moment, held: read.slice(i * perFrame, last), heldBetween: read[last]! };
    });
  }
}
