// Qwen2-VL's vision encoder: the patches of two frames become visual tokens in the decoder's space. One frame
// size a session; everything is prepared at load, running it only records dispatches.

import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { addMatmul, type BlockShape, type Epilogue, type MatmulChoice } from '../gpu/linear';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { type Binding, type Program, ProgramBuilder } from '../gpu/program';
import { planStep, writeStep } from '../gpu/step';
import type { Matrix } from '../gpu/weights';
import type { FrameGrid } from './frame-grid';
import { frameSlot, halfWords } from './frame-input';
import { rotaryTable } from './rotary-table';

/** Sizes and constants of the encoder. */
export interface VisionHyper {
  /** Width of a patch's embedding. */
  readonly embed: number;
  readonly heads: number;
  /** Transformer blocks. */
  readonly depth: number;
  /** Width inside a block's feed-forward part. */
  readonly ffn: number;
  readonly patchSize: number;
  readonly mergeSize: number;
  /** Width of a visual token: the decoder's. */
  readonly outputWidth: number;
  /** Of the layer norms. */
  readonly epsilon: number;
  /** Of red, green and blue scaled to 0..1. */
  readonly imageMean: readonly [number, number, number];
  readonly imageStd: readonly [number, number, number];
}

/** Buffer names of a layer norm. */
export interface NormWeights {
  readonly gain: string;
  readonly bias: string;
}

/** Weights of one transformer block. */
export interface VisionBlockWeights {
  readonly norm1: NormWeights;
  /** `[3 * embed, embed]`: queries, keys, values. */
  readonly qkv: Matrix;
  readonly out: Matrix;
  readonly norm2: NormWeights;
  readonly fc1: Matrix;
  readonly fc2: Matrix;
}

/** All weights of the encoder. */
export interface VisionWeights {
  /** `[embed, 3 * patchSize²]` for the earlier and the later frame of a temporal patch. */
  readonly patch: readonly [Matrix, Matrix];
  readonly blocks: readonly VisionBlockWeights[];
  readonly postNorm: NormWeights;
  /** `[mergeSize² * embed, mergeSize² * embed]`, then `[outputWidth, mergeSize² * embed]`. */
  readonly merger: readonly [Matrix, Matrix];
}

/** What an encoder is built from. */
export interface VisionEncoderOptions {
  readonly hyper: VisionHyper;
  readonly grid: FrameGrid;
  readonly weights: VisionWeights;
  /** Slots of the frame input's queue. */
  readonly slots: number;
  /** Receives the visual tokens, `[grid.tokens, outputWidth]` f32. */
  readonly tokens: Binding;
  readonly matmul: MatmulChoice;
}

const PIXELS = ['vision.pixels.0', 'vision.pixels.1'] as const;
const STREAM = 'vision.stream';
const NORMED = 'vision.normed';
const WIDE = 'vision.wide';
const ROTARY = 'vision.rotary';
const PATCH_STEP = 'vision.step.patches';
const TOKEN_STEP = 'vision.step.tokens';

/** Queries a workgroup of shaders/vision_attention.wesl takes. */
const ATTENTION_SIDE = 32;

/** The encoder's buffers besides its weights. */
export function planVision({ embed, heads, ffn }: VisionHyper, grid: FrameGrid): BufferSpec[] {
  const { patches } = grid;
  return [
    ...PIXELS.map((name) => storage(name, 'activations', 4 * halfWords(grid))),
    storage(STREAM, 'activations', patches * embed),
    storage(NORMED, 'activations', patches * embed),
    // In turn: queries, keys and values; the feed-forward part's hidden values; the merger's.
    storage(WIDE, 'activations', patches * Math.max(3 * embed, ffn)),
    storage(ROTARY, 'weights', patches * (embed / heads)),
    planStep(PATCH_STEP),
    planStep(TOKEN_STEP),
  ];
}

/** Turns the patches in one slot of the frame queue into visual tokens. */
export class VisionEncoder {
  readonly #grid: FrameGrid;
  /** Reads one slot of the queue; one program a slot. */
  readonly #inputs: readonly Program[];
  /** Patch embedding and transformer blocks, over patches. */
  readonly #tower: Program<BlockShape>;
  /** Over visual tokens. */
  readonly #merger: Program<BlockShape>;

  private constructor(
    grid: FrameGrid,
    inputs: readonly Program[],
    tower: Program<BlockShape>,
    merger: Program<BlockShape>,
  ) {
    this.#grid = grid;
    this.#inputs = inputs;
    this.#tower = tower;
    this.#merger = merger;
  }

  /** @param ledger holds the buffers of {@link planVision}, of the frame input, and the weights. */
  static async create(
    { device }: Gpu,
    ledger: Ledger,
    options: VisionEncoderOptions,
  ): Promise<VisionEncoder> {
    const { hyper, grid, slots } = options;
    device.queue.writeBuffer(ledger.get(ROTARY), 0, rotaryTable(grid, hyper.embed / hyper.heads));
    writeStep(device, ledger.get(PATCH_STEP), { tokens: grid.patches });
    writeStep(device, ledger.get(TOKEN_STEP), { tokens: grid.tokens });
    const [tower, merger, ...inputs] = await Promise.all([
      towerProgram(ledger, options).build(device, 'vision tower'),
      mergerProgram(ledger, options).build(device, 'vision merger'),
      ...Array.from({ length: slots }, (_, slot) =>
        inputProgram(ledger, options, slot).build(device, `vision input ${slot}`),
      ),
    ]);
    return new VisionEncoder(grid, inputs, tower, merger);
  }

  /** Records the encoding of the temporal patch in `slot`, whose two halves must be written. */
  record(pass: GPUComputePassEncoder, slot: number): void {
    this.#inputs[slot]!.record(pass);
    this.#tower.record(pass, { tokens: this.#grid.patches });
    this.#merger.record(pass, { tokens: this.#grid.tokens });
  }
}

function inputProgram(ledger: Ledger, { hyper, grid }: VisionEncoderOptions, slot: number): ProgramBuilder {
  const [mean_r, mean_g, mean_b] = hyper.imageMean;
  const [std_r, std_g, std_b] = hyper.imageStd;
  const half_words = halfWords(grid);
  const constants = { half_words, channel_values: grid.patchSize ** 2 };
  return new ProgramBuilder().add(
    { module: 'vision_pixels', constants: { ...constants, mean_r, mean_g, mean_b, std_r, std_g, std_b } },
    {
      patches: ledger.get(frameSlot(slot)),
      pixels_0: ledger.get(PIXELS[0]),
      pixels_1: ledger.get(PIXELS[1]),
    },
    [Math.ceil(half_words / 64)],
  );
}

function towerProgram(ledger: Ledger, options: VisionEncoderOptions): ProgramBuilder<BlockShape> {
  const { hyper, grid, weights, matmul } = options;
  const { embed, heads } = hyper;
  const { patches } = grid;
  const builder = new ProgramBuilder<BlockShape>();
  const [stream, normed, wide] = [ledger.get(STREAM), ledger.get(NORMED), ledger.get(WIDE)];
  const product = (matrix: Matrix, x: Binding, y: Binding, epilogue?: Epilogue) =>
    addMatmul(builder, ledger, matrix, { step: ledger.get(PATCH_STEP), x, y, epilogue, matmul });
  const shape = { width: embed, head_dim: embed / heads };

  product(weights.patch[0], ledger.get(PIXELS[0]), stream);
  product(weights.patch[1], ledger.get(PIXELS[1]), stream, 'accumulate');
  for (const block of weights.blocks) {
    addLayerNorm(builder, ledger, options, block.norm1);
    product(block.qkv, normed, wide);
    builder.add({ module: 'vision_rotary', constants: shape }, { qkv: wide, rotary: ledger.get(ROTARY) }, [
      Math.ceil(embed / 64),
      patches,
    ]);
    const tiled = matmul.kernels === 'tiled';
    builder.add(
      { module: tiled ? 'vision_attention' : 'vision_attention_direct', constants: shape },
      { step: ledger.get(PATCH_STEP), qkv: wide, y: normed },
      tiled ? [Math.ceil(patches / ATTENTION_SIDE), heads] : [Math.ceil(embed / 4 / 64), patches],
    );
    product(block.out, normed, stream, 'accumulate');
    addLayerNorm(builder, ledger, options, block.norm2);
    product(block.fc1, normed, wide, 'quick_gelu');
    product(block.fc2, wide, stream, 'accumulate');
  }
  return builder;
}

/** Patches stand in the order of merge blocks, so each block's normed rows are one row of the merger's input. */
function mergerProgram(ledger: Ledger, options: VisionEncoderOptions): ProgramBuilder<BlockShape> {
  const { weights, tokens, matmul } = options;
  const builder = new ProgramBuilder<BlockShape>();
  const step = ledger.get(TOKEN_STEP);
  const wide = ledger.get(WIDE);
  addLayerNorm(builder, ledger, options, weights.postNorm);
  addMatmul(builder, ledger, weights.merger[0], {
    step,
    x: ledger.get(NORMED),
    y: wide,
    epilogue: 'gelu',
    matmul,
  });
  addMatmul(builder, ledger, weights.merger[1], { step, x: wide, y: tokens, matmul });
  return builder;
}

/** Layer norm of the stream, of all patches. */
function addLayerNorm(
  builder: ProgramBuilder<BlockShape>,
  ledger: Ledger,
  { hyper, grid, matmul }: VisionEncoderOptions,
  { gain, bias }: NormWeights,
): void {
  builder.add(
    {
      module: 'layer_norm',
      conditions: { direct: matmul.kernels === 'direct' },
      constants: { width: hyper.embed, epsilon: hyper.epsilon },
    },
    { x: ledger.get(STREAM), y: ledger.get(NORMED), gain: ledger.get(gain), bias: ledger.get(bias) },
    [grid.patches],
  );
}
