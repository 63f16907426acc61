// The decoder: token ids or frame embeddings in, keys and values into the ring, a sampled token id out.
// It prepares its programs once; running them only writes the step block and records dispatches. It knows
// the ring's buffers, not its policies.

import type { Sampling } from '../contract';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import type { BlockShape } from '../gpu/linear';
import type { Program } from '../gpu/program';
import { type Step, writeStep } from '../gpu/step';
import { STEPS_IN_FLIGHT } from './buffers';
import type { DecoderHyper } from './hyper';
import type { DecoderOptions, DecoderShape } from './options';
import { blockProgram, headProgram, stepProgram } from './programs';
import { type Position, rotaryTable } from './rotary';

/** Where a block of tokens stands in the ring; see {@link Step}. */
export type Place = Pick<Step, 'firstSeq' | 'freeHead' | 'scanSlots' | 'frame'>;

/** How the token after a block is chosen; `draw` numbers the tokens of an answer, so that each has its own noise. */
export interface Choice {
  readonly sampling: Sampling;
  readonly draw: number;
}

/** Tokens on their way into the ring. */
export interface Block {
  readonly ids?: readonly number[];
  readonly positions: readonly Position[];
  readonly place: Place;
  /** Of a frame: its time in positions, counted through the whole stream; the number of the frame if left out. */
  readonly time?: number;
  readonly choice?: Choice;
}

export class Decoder {
  readonly hyper: DecoderHyper;
  readonly blockTokens: number;
  /** Where an encoder leaves a frame's embeddings: `[blockTokens, width]` f32. */
  readonly input: GPUBuffer;
  /** And where it leaves what is added to them behind each of the first layers (DeepStack), if anything is. */
  readonly features: readonly GPUBuffer[];
  readonly #device: GPUDevice;
  readonly #ledger: Ledger;
  readonly #block: Program<DecoderShape>;
  readonly #step: Program<DecoderShape>;
  readonly #head: Program<BlockShape>;
  /** Staging buffers not waiting to be read. */
  readonly #staging: GPUBuffer[];

  private constructor(
    gpu: Gpu,
    ledger: Ledger,
    options: DecoderOptions,
    programs: readonly [Program<DecoderShape>, Program<DecoderShape>, Program<BlockShape>],
  ) {
    this.hyper = options.hyper;
    this.blockTokens = options.blockTokens;
    this.input = ledger.get('decoder.hidden');
    this.features = Array.from({ length: options.hyper.deepstackLayers }, (_, i) =>
      ledger.get(`decoder.features.${i}`),
    );
    this.#device = gpu.device;
    this.#ledger = ledger;
    [this.#block, this.#step, this.#head] = programs;
    this.#staging = Array.from({ length: STEPS_IN_FLIGHT }, (_, i) => ledger.get(`decoder.token.${i}`));
  }

  /** Compiles the programs. The ledger must hold the buffers of `planDecoder`, `planRing` and the weights. */
  static async create(gpu: Gpu, ledger: Ledger, options: DecoderOptions): Promise<Decoder> {
    writeStep(gpu.device, ledger.get('decoder.one'), { tokens: 1 });
    const block = blockProgram(gpu, ledger, options).build(gpu.device, 'prefill');
    const programs = await Promise.all([
      block,
      // The plain kernels take one token as any other block.
      gpu.kernels === 'direct' ? block : stepProgram(gpu, ledger, options).build(gpu.device, 'decode'),
      headProgram(gpu, ledger, options).build(gpu.device, 'head'),
    ]);
    return new Decoder(gpu, ledger, options, programs);
  }

  /**
   * Queues what a block needs and returns what records it. At most `blockTokens` tokens.
   * @param block without `ids`, the embeddings are already in `input`, e.g. written earlier in the same pass;
   *   with `choice`, the token that follows is sampled and left for `submitSampled`.
   */
  prefill(block: Block): (pass: GPUComputePassEncoder) => void {
    const { ids, positions, choice } = block;
    const { scanSlots } = block.place;
    const tokens = positions.length;
    if (tokens > this.blockTokens) throw new Error(`A block holds ${this.blockTokens} tokens, not ${tokens}`);
    if (ids) this.#device.queue.writeBuffer(this.#ledger.get('decoder.ids'), 0, Uint32Array.from(ids));
    this.#write(block);
    return (pass) => {
      this.#block.record(pass, { tokens, embed: ids !== undefined, scanSlots });
      if (choice) this.#head.record(pass, { tokens: 1 });
    };
  }

  /**
   * Submits one decode step: the token sampled last goes through the layers and the next is sampled.
   * At most `STEPS_IN_FLIGHT` results may be waited for at a time.
   */
  decode(position: Position, place: Place, choice: Choice): Promise<number> {
    this.#write({ positions: [position], place, choice });
    return this.submitSampled('decode', (pass) => {
      this.#step.record(pass, { tokens: 1, embed: true, scanSlots: place.scanSlots });
      this.#head.record(pass, { tokens: 1 });
    });
  }

  /** Submits `record`, which ends in a sample, and reads the sampled id. */
  async submitSampled(label: string, record: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const staging = this.#staging.pop();
    if (!staging) throw new Error(`More than ${STEPS_IN_FLIGHT} decode steps are in flight`);
    try {
      const encoder = this.#device.createCommandEncoder({ label });
      const pass = encoder.beginComputePass({ label });
      record(pass);
      pass.end();
      encoder.copyBufferToBuffer(this.#ledger.get('decoder.ids'), 0, staging, 0, 4);
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const id = new Uint32Array(staging.getMappedRange())[0]!;
      staging.unmap();
      return id;
    } finally {
      this.#staging.push(staging);
    }
  }

  #write({ positions, place, time, choice }: Block): void {
    const { queue } = this.#device;
    queue.writeBuffer(this.#ledger.get('decoder.rotary'), 0, rotaryTable(positions, this.hyper));
    const { sampling, draw } = choice ?? { sampling: undefined, draw: 0 };
    writeStep(this.#device, this.#ledger.get('decoder.step'), {
      ...place,
      time,
      tokens: positions.length,
      seed: ((sampling?.seed ?? 0) + Math.imul(draw, 0x9e3779b1)) >>> 0,
      topK: sampling?.topK,
      temperature: sampling?.temperature,
      topP: sampling?.topP,
    });
  }
}
