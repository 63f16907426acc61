// The vision encoder: a transformer that makes visual tokens in the decoder's space of the patches of a frame or two.
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
import { frameSlot, frameWords } from './frame-input';
import type { MergerWeights, NormWeights, VisionHyper, VisionWeights } from './hyper';
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
  /** Receive what each of `hyper.deepstackBlocks` makes, in the same form. */
  readonly features?: readonly Binding[];
  /** Positions of all patches, `[grid.patches, embed]`, where `hyper.learnedPositions`. */
  readonly positions?: Float32Array<ArrayBuffer>;
  readonly matmul: MatmulChoice;
}

const PIXELS = ['vision.pixels.0', 'vision.pixels.1'] as const;
const STREAM = 'vision.stream';
const NORMED = 'vision.normed';
const WIDE = 'vision.wide';
const GATED = 'vision.gated';
const ROTARY = 'vision.rotary';
const POSITIONS = 'vision.positions';
const PATCH_OF_ROW = 'vision.patch-of-row';
const ROW_OF_PATCH = 'vision.row-of-patch';
const SPANS = 'vision.spans';
const PATCH_STEP = 'vision.step.patches';
const TOKEN_STEP = 'vision.step.tokens';

/** Queries a workgroup of shaders/vision_attention.wesl takes. */
const ATTENTION_SIDE = 32;

/** The encoder's buffers besides its weights. */
export function planVision(hyper: VisionHyper, grid: FrameGrid): BufferSpec[] {
  const { embed, heads, ffn, feedForward, windows } = hyper;
  const { patches, tokens } = grid;
  /** Width between the two matrices of a patch's own. */
  const projected = hyper.projector === 'patch_mlp' ? hyper.outputWidth : 0;
  const gated = feedForward === 'swiglu';
  return [
    ...PIXELS.slice(0, grid.framesPerPatch).map((name) => storage(name, 'activations', 4 * frameWords(grid))),
    storage(STREAM, 'activations', patches * embed),
    // And in the end the merger's hidden values, pooled.
    storage(NORMED, 'activations', Math.max(patches * embed, tokens * projected)),
    // In turn: queries, keys and values; the feed-forward part's hidden values; the merger's.
    storage(WIDE, 'activations', patches * Math.max(3 * embed, gated ? 2 * ffn : ffn, projected)),
    ...(gated ? [storage(GATED, 'activations', patches * ffn)] : []),
    ...(hyper.rotary ? [storage(ROTARY, 'weights', patches * (embed / heads))] : []),
    ...(hyper.learnedPositions ? [storage(POSITIONS, 'weights', patches * embed)] : []),
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

/** A part of the encoder, and how many rows it works on: patches or visual tokens. */
interface Part<Built> {
  readonly rows: number;
  readonly program: Built;
}

/** Turns the patches in one slot of the frame queue into visual tokens. */
export class VisionEncoder {
  /** Reads one slot of the queue; one program a slot. */
  readonly #inputs: readonly Program[];
  readonly #parts: readonly Part<Program<BlockShape>>[];

  private constructor(inputs: readonly Program[], parts: readonly Part<Program<BlockShape>>[]) {
    this.#inputs = inputs;
    this.#parts = parts;
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
    const [inputs, parts] = await Promise.all([
      Promise.all(
        Array.from({ length: slots }, (_, slot) =>
          inputProgram(ledger, options, slot).build(device, `vision input ${slot}`),
        ),
      ),
      Promise.all(
        encoderParts(ledger, options).map(async ({ rows, program }) => ({
          rows,
          program: await program.build(device, rows === grid.patches ? 'vision tower' : 'vision merger'),
        })),
      ),
    ]);
    return new VisionEncoder(inputs, parts);
  }

  /** Records the encoding of the temporal patch in `slot`, whose frames must be written. */
  record(pass: GPUComputePassEncoder, slot: number): void {
    this.#inputs[slot]!.record(pass);
    for (const { rows, program } of this.#parts) program.record(pass, { tokens: rows });
  }
}

/** What depends on the grid alone: positions, angles, and where the encoder has windows, its order of patches. */
function writeTables(
  { queue }: GPUDevice,
  ledger: Ledger,
  { hyper, grid, positions }: VisionEncoderOptions,
): void {
  if (positions) queue.writeBuffer(ledger.get(POSITIONS), 0, positions);
  const layout = hyper.windows && windowLayout(grid, hyper.windows.pixels);
  if (hyper.rotary) {
    const places = patchPlaces(grid);
    const inRows = layout ? Array.from(layout.patchOfRow, (patch) => places[patch]!) : places;
    queue.writeBuffer(ledger.get(ROTARY), 0, rotaryTable(inRows, hyper.embed / hyper.heads));
  }
  if (!layout) return;
  const { patchOfRow, rowOfPatch, spans } = layout;
  queue.writeBuffer(ledger.get(PATCH_OF_ROW), 0, patchOfRow);
  queue.writeBuffer(ledger.get(ROW_OF_PATCH), 0, rowOfPatch);
  queue.writeBuffer(ledger.get(SPANS), 0, spans);
}

function inputProgram(ledger: Ledger, { hyper, grid }: VisionEncoderOptions, slot: number): ProgramBuilder {
  const [mean_r, mean_g, mean_b] = hyper.imageMean;
  const [std_r, std_g, std_b] = hyper.imageStd;
  const frame_words = frameWords(grid);
  const two = grid.framesPerPatch === 2;
  const constants = { frame_words, channel_values: grid.patchSize ** 2 };
  return new ProgramBuilder().add(
    {
      module: 'vision_pixels',
      conditions: { gather: hyper.windows !== undefined, two },
      constants: { ...constants, mean_r, mean_g, mean_b, std_r, std_g, std_b },
    },
    {
      patches: ledger.get(frameSlot(slot)),
      pixels_0: ledger.get(PIXELS[0]),
      ...(two ? { pixels_1: ledger.get(PIXELS[1]) } : {}),
      ...(hyper.windows ? { source: ledger.get(PATCH_OF_ROW) } : {}),
    },
    [Math.ceil(frame_words / 64)],
  );
}

/** Patch embedding and blocks, over patches; mergers, over visual tokens. */
function encoderParts(ledger: Ledger, options: VisionEncoderOptions): Part<ProgramBuilder<BlockShape>>[] {
  const { hyper, grid, weights, tokens, features = [] } = options;
  const parts: Part<ProgramBuilder<BlockShape>>[] = [];
  let tower = new ProgramBuilder<BlockShape>();
  const endTower = () => parts.push({ rows: grid.patches, program: tower });
  addPatchEmbedding(tower, ledger, options);
  for (let index = 0; index < hyper.depth; index++) {
    addBlock(tower, ledger, options, index);
    const branch = hyper.deepstackBlocks?.indexOf(index) ?? -1;
    if (branch < 0) continue;
    endTower();
    tower = new ProgramBuilder();
    const merger = mergerProgram(ledger, options, weights.deepstack[branch]!, 'blocks', features[branch]!);
    parts.push({ rows: grid.tokens, program: merger });
  }
  const byPatch = hyper.projector === 'patch_mlp';
  if (byPatch) addPatchProjection(tower, ledger, options);
  endTower();
  const merger = byPatch
    ? poolingProgram(ledger, options)
    : mergerProgram(ledger, options, weights.merger, 'patches', tokens);
  parts.push({ rows: grid.tokens, program: merger });
  return parts;
}

type Builder = ProgramBuilder<BlockShape>;

function addPatchEmbedding(builder: Builder, ledger: Ledger, options: VisionEncoderOptions): void {
  const { hyper, grid, weights, matmul } = options;
  const stream = ledger.get(STREAM);
  const step = ledger.get(PATCH_STEP);
  weights.patch.forEach((matrix, frame) => {
    const epilogue = frame === 0 ? undefined : 'accumulate';
    addMatmul(builder, ledger, matrix, { step, x: ledger.get(PIXELS[frame]!), y: stream, epilogue, matmul });
  });
  if (!hyper.learnedPositions) return;
  const groups = Math.ceil((grid.patches * hyper.embed) / 4 / 64);
  builder.add({ module: 'add' }, { x: ledger.get(POSITIONS), y: stream }, [
    Math.min(groups, 32768),
    Math.ceil(groups / 32768),
  ]);
}

function addBlock(builder: Builder, ledger: Ledger, options: VisionEncoderOptions, index: number): void {
  const { hyper, grid, weights, matmul } = options;
  const { embed, heads, feedForward, windows } = hyper;
  const { patches } = grid;
  const block = weights.blocks[index]!;
  const [stream, normed, wide] = [ledger.get(STREAM), ledger.get(NORMED), ledger.get(WIDE)];
  const step = ledger.get(PATCH_STEP);
  const product = (matrix: Matrix, x: Binding, y: Binding, epilogue?: Epilogue) =>
    addMatmul(builder, ledger, matrix, { step, x, y, epilogue, matmul });
  const shape = { width: embed, head_dim: embed / heads };

  addNorm(builder, ledger, options, block.norm1);
  product(block.qkv, normed, wide);
  if (hyper.rotary) {
    builder.add({ module: 'vision_rotary', constants: shape }, { qkv: wide, rotary: ledger.get(ROTARY) }, [
      Math.ceil(embed / 64),
      patches,
    ]);
  }
  const tiled = matmul.kernels === 'tiled';
  const windowed = windows !== undefined && (index + 1) % windows.wholeEvery !== 0;
  builder.add(
    {
      module: tiled ? 'vision_attention' : 'vision_attention_direct',
      conditions: { windows: windowed },
      constants: shape,
    },
    { step, qkv: wide, y: normed, ...(windowed ? { spans: ledger.get(SPANS) } : {}) },
    tiled ? [Math.ceil(patches / ATTENTION_SIDE), heads] : [Math.ceil(embed / 4 / 64), patches],
  );
  product(block.out, normed, stream, 'accumulate');
  addNorm(builder, ledger, options, block.norm2);
  if (feedForward === 'swiglu') {
    product(block.fc1, normed, wide);
    builder.add(
      { module: 'swiglu', constants: { width: hyper.ffn } },
      { step, gate_up: wide, y: ledger.get(GATED) },
      [Math.ceil(hyper.ffn / 4 / 64), patches],
    );
    product(block.fc2, ledger.get(GATED), stream, 'accumulate');
  } else {
    product(block.fc1, normed, wide, feedForward);
    product(block.fc2, wide, stream, 'accumulate');
  }
}

/**
 * The patches of a merge block, which stand together, are one row of the merger's input. Patches normalised one by
 * one come back here from the order of windows to their own: merge blocks row-major.
 * @param normed what the norm is of: patches, or whole merge blocks.
 */
function mergerProgram(
  ledger: Ledger,
  options: VisionEncoderOptions,
  { norm, layers }: MergerWeights,
  normed: 'patches' | 'blocks',
  y: Binding,
): ProgramBuilder<BlockShape> {
  const { hyper, grid, matmul } = options;
  const builder: Builder = new ProgramBuilder();
  const step = ledger.get(TOKEN_STEP);
  if (normed === 'patches') {
    addNorm(builder, ledger, options, norm!, { source: hyper.windows && ledger.get(ROW_OF_PATCH) });
  } else {
    addNorm(builder, ledger, options, norm!, { joined: grid.mergeSize ** 2 });
  }
  let x: Binding = ledger.get(NORMED);
  for (const hidden of layers.slice(0, -1)) {
    const wide = ledger.get(WIDE);
    addMatmul(builder, ledger, hidden, { step, x, y: wide, epilogue: 'gelu', matmul });
    x = wide;
  }
  addMatmul(builder, ledger, layers.at(-1)!, { step, x, y, matmul });
  return builder;
}

/** The first of a patch's own two matrices, and GELU. */
function addPatchProjection(
  builder: Builder,
  ledger: Ledger,
  { weights, matmul }: VisionEncoderOptions,
): void {
  addMatmul(builder, ledger, weights.merger.layers[0]!, {
    step: ledger.get(PATCH_STEP),
    x: ledger.get(STREAM),
    y: ledger.get(WIDE),
    epilogue: 'gelu',
    matmul,
  });
}

/** The second, of patches or of what they are pooled to: that comes to the same after it, and is less before it. */
function poolingProgram(ledger: Ledger, options: VisionEncoderOptions): ProgramBuilder<BlockShape> {
  const { hyper, grid, weights, tokens, matmul } = options;
  const { patchRows, patchCols, pooling } = grid;
  const builder: Builder = new ProgramBuilder();
  if (pooling === 2) {
    const width = hyper.outputWidth;
    builder.add(
      { module: 'vision_pool', constants: { rows: patchRows, cols: patchCols, width } },
      { x: ledger.get(WIDE), y: ledger.get(NORMED) },
      [Math.ceil(width / 4 / 64), grid.tokens],
    );
  }
  const x = ledger.get(pooling === 2 ? NORMED : WIDE);
  addMatmul(builder, ledger, weights.merger.layers[1]!, {
    step: ledger.get(TOKEN_STEP),
    x,
    y: tokens,
    matmul,
  });
  return builder;
}

/**
 * Norm of the stream.
 * @param joined so many patches at a time.
 * @param source the row that each row is the norm of, where that is another.
 */
function addNorm(
  builder: Builder,
  ledger: Ledger,
  { hyper, grid, matmul }: VisionEncoderOptions,
  { gain, bias }: NormWeights,
  { joined = 1, source }: { readonly joined?: number; readonly source?: Binding } = {},
): void {
  builder.add(
    {
      module: bias ? 'layer_norm' : 'rms_norm',
      conditions: { direct: matmul.kernels === 'direct', ...(source ? { gather: true } : {}) },
      constants: { width: hyper.embed * joined, epsilon: hyper.epsilon },
    },
    {
      x: ledger.get(STREAM),
      y: ledger.get(NORMED),
      gain: ledger.get(gain),
      ...(bias ? { bias: ledger.get(bias) } : { step: ledger.get(PATCH_STEP) }),
      ...(source ? { source } : {}),
    },
    [grid.patches / joined],
  );
}
