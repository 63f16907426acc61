// The vision encoder: a transformer that makes visual tokens in the decoder's space of the patches of two frames.
// One frame size a session; everything is prepared at load, running it only records dispatches. What differs by
// family is in `hyper`.

import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { addMatmul, type BlockShape, type Epilogue, type MatmulChoice } from '../gpu/linear';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { type Binding, type Program, ProgramBuilder } from '../gpu/program';
import { planStep, writeStep } from '../gpu/step';
import type { Matrix } from '../gpu/weights';
import { type FrameGrid, patchPlaces } from './frame-grid';
import { frameSlot, halfWords } from './frame-input';
import type { NormWeights, VisionHyper, VisionWeights } from './hyper';
import { rotaryTable } from './rotary-table';
import { windowLayout } from './window-layout';

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
const GATED = 'vision.gated';
const ROTARY = 'vision.rotary';
const PATCH_OF_ROW = 'vision.patch-of-row';
const ROW_OF_PATCH = 'vision.row-of-patch';
const SPANS = 'vision.spans';
const PATCH_STEP = 'vision.step.patches';
const TOKEN_STEP = 'vision.step.tokens';

/** Queries a workgroup of shaders/vision_attention.wesl takes. */
const ATTENTION_SIDE = 32;

/** The encoder's buffers besides its weights. */
export function planVision(
  { embed, heads, ffn, feedForward, windows }: VisionHyper,
  grid: FrameGrid,
): BufferSpec[] {
  const { patches } = grid;
  const gated = feedForward === 'swiglu';
  return [
    ...PIXELS.map((name) => storage(name, 'activations', 4 * halfWords(grid))),
    storage(STREAM, 'activations', patches * embed),
    storage(NORMED, 'activations', patches * embed),
    // In turn: queries, keys and values; the feed-forward part's hidden values; the merger's.
    storage(WIDE, 'activations', patches * Math.max(3 * embed, gated ? 2 * ffn : ffn)),
    ...(gated ? [storage(GATED, 'activations', patches * ffn)] : []),
    storage(ROTARY, 'weights', patches * (embed / heads)),
    ...(windows
      ? [
          storage(PATCH_OF_ROW, 'weights', patches),
          storage(ROW_OF_PATCH, 'weights', patches),
          storage(SPANS, 'weights', 2 * patches),
        ]
      : []),
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
    const { grid, slots } = options;
    writeTables(device, ledger, options);
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

/** What depends on the grid alone: angles, and where the encoder has windows, its order of patches. */
function writeTables({ queue }: GPUDevice, ledger: Ledger, { hyper, grid }: VisionEncoderOptions): void {
  const places = patchPlaces(grid);
  const headDim = hyper.embed / hyper.heads;
  if (!hyper.windows) {
    queue.writeBuffer(ledger.get(ROTARY), 0, rotaryTable(places, headDim));
    return;
  }
  const { patchOfRow, rowOfPatch, spans } = windowLayout(grid, hyper.windows.pixels);
  const inRows = Array.from(patchOfRow, (patch) => places[patch]!);
  queue.writeBuffer(ledger.get(ROTARY), 0, rotaryTable(inRows, headDim));
  queue.writeBuffer(ledger.get(PATCH_OF_ROW), 0, patchOfRow);
  queue.writeBuffer(ledger.get(ROW_OF_PATCH), 0, rowOfPatch);
  queue.writeBuffer(ledger.get(SPANS), 0, spans);
}

function inputProgram(ledger: Ledger, { hyper, grid }: VisionEncoderOptions, slot: number): ProgramBuilder {
  const [mean_r, mean_g, mean_b] = hyper.imageMean;
  const [std_r, std_g, std_b] = hyper.imageStd;
  const half_words = halfWords(grid);
  const constants = { half_words, channel_values: grid.patchSize ** 2 };
  return new ProgramBuilder().add(
    {
      module: 'vision_pixels',
      conditions: { gather: hyper.windows !== undefined },
      constants: { ...constants, mean_r, mean_g, mean_b, std_r, std_g, std_b },
    },
    {
      patches: ledger.get(frameSlot(slot)),
      pixels_0: ledger.get(PIXELS[0]),
      pixels_1: ledger.get(PIXELS[1]),
      ...(hyper.windows ? { source: ledger.get(PATCH_OF_ROW) } : {}),
    },
    [Math.ceil(half_words / 64)],
  );
}

function towerProgram(ledger: Ledger, options: VisionEncoderOptions): ProgramBuilder<BlockShape> {
  const { hyper, grid, weights, matmul } = options;
  const { embed, heads, feedForward, windows } = hyper;
  const { patches } = grid;
  const builder = new ProgramBuilder<BlockShape>();
  const [stream, normed, wide] = [ledger.get(STREAM), ledger.get(NORMED), ledger.get(WIDE)];
  const product = (matrix: Matrix, x: Binding, y: Binding, epilogue?: Epilogue) =>
    addMatmul(builder, ledger, matrix, { step: ledger.get(PATCH_STEP), x, y, epilogue, matmul });
  const shape = { width: embed, head_dim: embed / heads };

  product(weights.patch[0], ledger.get(PIXELS[0]), stream);
  product(weights.patch[1], ledger.get(PIXELS[1]), stream, 'accumulate');
  weights.blocks.forEach((block, index) => {
    addNorm(builder, ledger, options, block.norm1);
    product(block.qkv, normed, wide);
    builder.add({ module: 'vision_rotary', constants: shape }, { qkv: wide, rotary: ledger.get(ROTARY) }, [
      Math.ceil(embed / 64),
      patches,
    ]);
    const tiled = matmul.kernels === 'tiled';
    const windowed = windows !== undefined && (index + 1) % windows.wholeEvery !== 0;
    builder.add(
      {
        module: tiled ? 'vision_attention' : 'vision_attention_direct',
        conditions: { windows: windowed },
        constants: shape,
      },
      {
        step: ledger.get(PATCH_STEP),
        qkv: wide,
        y: normed,
        ...(windowed ? { spans: ledger.get(SPANS) } : {}),
      },
      tiled ? [Math.ceil(patches / ATTENTION_SIDE), heads] : [Math.ceil(embed / 4 / 64), patches],
    );
    product(block.out, normed, stream, 'accumulate');
    addNorm(builder, ledger, options, block.norm2);
    if (feedForward === 'swiglu') {
      product(block.fc1, normed, wide);
      builder.add(
        { module: 'swiglu', constants: { width: hyper.ffn } },
        { step: ledger.get(PATCH_STEP), gate_up: wide, y: ledger.get(GATED) },
        [Math.ceil(hyper.ffn / 4 / 64), patches],
      );
      product(block.fc2, ledger.get(GATED), stream, 'accumulate');
    } else {
      product(block.fc1, normed, wide, feedForward);
      product(block.fc2, wide, stream, 'accumulate');
    }
  });
  return builder;
}

/**
 * The normed rows of a merge block are one row of the merger's input. Here the rows come back from the order of
 * windows to that of patches: merge blocks row-major.
 */
function mergerProgram(ledger: Ledger, options: VisionEncoderOptions): ProgramBuilder<BlockShape> {
  const { hyper, weights, tokens, matmul } = options;
  const builder = new ProgramBuilder<BlockShape>();
  const step = ledger.get(TOKEN_STEP);
  const wide = ledger.get(WIDE);
  addNorm(builder, ledger, options, weights.postNorm, hyper.windows && ledger.get(ROW_OF_PATCH));
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

/** Norm of the stream, of all patches. @param source the row that each row is the norm of, where that is another. */
function addNorm(
  builder: ProgramBuilder<BlockShape>,
  ledger: Ledger,
  { hyper, grid, matmul }: VisionEncoderOptions,
  { gain, bias }: NormWeights,
  source?: Binding,
): void {
  builder.add(
    {
      module: bias ? 'layer_norm' : 'rms_norm',
      conditions: { direct: matmul.kernels === 'direct', ...(source ? { gather: true } : {}) },
      constants: { width: hyper.embed, epsilon: hyper.epsilon },
    },
    {
      x: ledger.get(STREAM),
      y: ledger.get(NORMED),
      gain: ledger.get(gain),
      ...(bias ? { bias: ledger.get(bias) } : { step: ledger.get(PATCH_STEP) }),
      ...(source ? { source } : {}),
    },
    [grid.patches],
  );
}
