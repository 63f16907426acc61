// A model on the GPU: opens both files, makes the memory plan, creates every buffer, streams the weights and
// compiles the kernels. What it returns is ready to run and will create no further buffer.

import type { LoadProgress } from './contract';
import { planDecoder } from './decoder/buffers';
import { Decoder } from './decoder/decoder';
import type { DecoderHyper } from './decoder/hyper';
import type { Ending } from './decoder/options';
import { type FrameShape, frameShape } from './decoder/rotary';
import { InvalidInputError, ModelFormatError } from './errors';
import type { ByteSource } from './gguf/byte-source';
import { fingerprint } from './gguf/fingerprint';
import { type ModelFile, openModelFile } from './gguf/model-file';
import type { Gpu } from './gpu/device';
import { Ledger } from './gpu/ledger';
import { bytesByPurpose, checkPlan, type MemoryPlan, type Purpose } from './gpu/memory-plan';
import { WeightPlan } from './gpu/weights';
import { Lens, planLens } from './memory/lens';
import { side } from './memory/positions';
import { Ring } from './memory/ring';
import { planRing, type RingShape } from './memory/ring-shape';
import { KeyRotation, planRotation } from './memory/rotation';
import { planSnapshot } from './memory/snapshot';
import { checkDecoder, familyOf } from './models';
import { planDecoderWeights, readDecoderHyper } from './models/decoder-file';
import type { VideoFormat } from './models/family';
import { planVisionWeights, readPositions, readVisionHyper } from './models/vision-file';
import { type ConversationPieces, conversationPieces } from './text/chat-template';
import { FrameText, MANY_SECONDS } from './text/frame-text';
import { Tokenizer } from './text/tokenizer';
import { planVision, VisionEncoder } from './vision/encoder';
import { type FrameGrid, frameGrid } from './vision/frame-grid';
import { FrameInput, type FrameInputOptions, planFrames } from './vision/frame-input';
import type { VisionWeights } from './vision/hyper';

export interface ModelOptions {
  readonly model: ByteSource;
  readonly mmproj: ByteSource;
  /** Size the encoder sees, in whole visual tokens; every frame is cropped and resized to it. */
  readonly frame: { readonly width: number; readonly height: number };
  /** Whether frames are still pictures, which some families see finer than a video's; a session's are not. */
  readonly still?: boolean;
  /** Most visual tokens the ring will ever hold; at least two frames. */
  readonly visualTokens: number;
  /** Room for text, pinned and dialogue, besides what a family writes between frames. */
  readonly textTokens: number;
  /** Rotary positions the model was trained on, if that is less than the context length its file states. */
  readonly trainedPositions?: number;
  /** Largest frame given as RGB bytes, in pixels; 0 where all frames are VideoFrames. */
  readonly maxRgbPixels: number;
  /** `f32` computes and caches in full precision even where the device has `shader-f16`. */
  readonly precision?: 'f32' | 'f16';
  readonly onProgress?: (progress: LoadProgress) => void;
}

export interface Model {
  /** As its file calls it. */
  readonly name: string;
  /** Of both files; see {@link fingerprint}. */
  readonly fingerprint: string;
  readonly gpu: Gpu;
  readonly ledger: Ledger;
  readonly grid: FrameGrid;
  /** Of a frame's visual tokens before the decoder. */
  readonly frameShape: FrameShape;
  readonly frames: FrameInput;
  readonly encoder: VisionEncoder;
  readonly decoder: Decoder;
  readonly ring: Ring;
  /** Of the ring's keys. */
  readonly rotation: KeyRotation;
  /** Over the ring. */
  readonly lens: Lens;
  readonly trainedPositions: number;
  /** How frames stand before the decoder. */
  readonly video: VideoFormat;
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationPieces;
  readonly frameText: FrameText;
  /** Releases the buffers, not the device. */
  dispose(): void;
}

/** Temporal patches that may wait while an answer is being written. */
const QUEUED_FRAMES = 8;

/** Smallest prefill block, for questions on models with few tokens a frame. */
const MIN_BLOCK_TOKENS = 64;

/** Fewest trained positions beside those of a frame's rows or columns: a short conversation. */
const MIN_TEXT_POSITIONS = 64;

/** Tallest source frame taken in, after cropping: 4K held upright. */
const MAX_SOURCE_ROWS = 4096;

/**
 * Loads a model onto an open device.
 * @throws ModelFormatError, OutOfMemoryError, InvalidInputError; no buffer stays behind.
 */
export async function loadModel(gpu: Gpu, options: ModelOptions): Promise<Model> {
  const { onProgress = () => {} } = options;
  onProgress({ stage: 'files', fraction: 0, bytesDone: 0, bytesTotal: 0 });
  const [modelFile, mmprojFile] = await Promise.all([
    openModelFile(options.model),
    openModelFile(options.mmproj),
  ]);
  return build(gpu, modelFile, mmprojFile, { ...options, onProgress });
}

/**
 * Bytes that a model would take on this device, by purpose; reads the files' headers only.
 * @throws as `loadModel`, except that the device may prove to have no room for what its limits allow.
 */
export async function planModel(gpu: Gpu, options: ModelOptions): Promise<Record<Purpose, number>> {
  const files = await Promise.all([openModelFile(options.model), openModelFile(options.mmproj)]);
  const { plan } = layOut(gpu, ...files, options);
  checkPlan(plan, gpu.device.limits);
  return bytesByPurpose(plan);
}

/** All that is known of a model before any of it is on the GPU. */
function layOut(gpu: Gpu, modelFile: ModelFile, mmprojFile: ModelFile, options: ModelOptions) {
  const { device } = gpu;
  const matmul = { kernels: gpu.kernels, f16: gpu.features.f16 && options.precision !== 'f32' };
  const family = familyOf(mmprojFile);
  checkDecoder(modelFile, family);
  const hyper = readDecoderHyper(modelFile, family.decoder);
  const tokenizer = readTokenizer(modelFile, hyper);
  const conversation = conversationPieces(modelFile.metadata);
  const { eachFrame, ended, pads } = family.video;
  const frameText = new FrameText(conversation, eachFrame, ended ? pads.video : undefined);
  const visionHyper = readVisionHyper(mmprojFile, family.vision(mmprojFile.metadata));
  if (visionHyper.outputWidth !== hyper.width) {
    throw new InvalidInputError(
      `${mmprojFile.source.name} makes visual tokens of width ${visionHyper.outputWidth}, but ${modelFile.source.name} reads ${hyper.width}. Choose the two files of one model.`,
    );
  }
  const branches = visionHyper.deepstackBlocks?.length ?? 0;
  if (branches !== hyper.deepstackLayers) {
    throw new InvalidInputError(
      `${mmprojFile.source.name} makes features for ${branches} layers of the decoder, but ${modelFile.source.name} takes them in ${hyper.deepstackLayers}. Choose the two files of one model.`,
    );
  }
  const grid = frameGrid(
    options.frame.width,
    options.frame.height,
    visionHyper.patchSize,
    visionHyper.mergeSize,
    visionHyper.framesPerPatch,
    options.still ? 1 : visionHyper.videoPooling,
  );
  const shape = frameShape(hyper, grid.tokenRows, grid.tokenCols);
  const trainedPositions = positionRange(options.trainedPositions ?? hyper.contextLength, hyper, shape);
  const separator = tokenizer.encode(frameText.before('next', MANY_SECONDS), { parseSpecial: true }).length;
  const separators = separator * Math.floor(options.visualTokens / grid.tokens);
  const ringShape: RingShape = {
    layers: hyper.layers,
    kvHeads: hyper.kvHeads,
    headDim: hyper.headDim,
    capacity: Math.ceil((options.visualTokens + options.textTokens + separators) / 64) * 64,
    tokensPerFrame: grid.tokens,
    gridColumns: grid.tokenCols,
    kvFormat: options.precision === 'f32' ? 'f32' : 'f16',
  };
  const frameOptions: FrameInputOptions = {
    grid,
    filter: visionHyper.filter,
    slots: QUEUED_FRAMES,
    maxRows: MAX_SOURCE_ROWS,
    maxRgbPixels: options.maxRgbPixels,
  };
  const blockTokens = Math.max(MIN_BLOCK_TOKENS, grid.tokens);

  const bindingBytes = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  const textWeights = new WeightPlan(modelFile, bindingBytes);
  const visionWeights = new WeightPlan(mmprojFile, bindingBytes);
  const decoderWeights = planDecoderWeights(textWeights, hyper);
  const encoderWeights = planVisionWeights(mmprojFile, visionWeights, visionHyper);
  const ending = ended ? endingOf(mmprojFile, encoderWeights, tokenizer, pads) : undefined;
  const plan: MemoryPlan = [
    ...textWeights.specs,
    ...visionWeights.specs,
    ...planDecoder(hyper, blockTokens, ringShape.capacity, gpu.kernels),
    ...planRing(ringShape),
    ...planRotation(ringShape),
    ...planLens(ringShape),
    planSnapshot(),
    ...planVision(visionHyper, grid),
    ...planFrames(frameOptions),
  ];
  return {
    plan,
    matmul,
    family,
    hyper,
    visionHyper,
    tokenizer,
    conversation,
    frameText,
    grid,
    shape,
    trainedPositions,
    ringShape,
    frameOptions,
    blockTokens,
    textWeights,
    visionWeights,
    decoderWeights,
    encoderWeights,
    ending,
  };
}

async function build(
  gpu: Gpu,
  modelFile: ModelFile,
  mmprojFile: ModelFile,
  options: ModelOptions & { readonly onProgress: (progress: LoadProgress) => void },
): Promise<Model> {
  const { device } = gpu;
  const layout = layOut(gpu, modelFile, mmprojFile, options);
  const { matmul, family, hyper, visionHyper, grid, ringShape, frameOptions, blockTokens } = layout;
  const { textWeights, visionWeights, decoderWeights, encoderWeights } = layout;
  const ledger = await Ledger.create(device, layout.plan);

  try {
    const bytesTotal = textWeights.fileBytes + visionWeights.fileBytes;
    let bytesDone = 0;
    const advance = (bytes: number) => {
      bytesDone += bytes;
      const fraction = WEIGHTS_SHARE * (bytesDone / bytesTotal);
      options.onProgress({ stage: 'weights', fraction, bytesDone, bytesTotal });
    };
    await visionWeights.upload(device, ledger, advance);
    await textWeights.upload(device, ledger, advance);
    const positions = await readPositions(mmprojFile, visionHyper, grid);
    options.onProgress({ stage: 'shaders', fraction: WEIGHTS_SHARE, bytesDone, bytesTotal });
    const [print, frames, encoder, decoder, ring, rotation] = await Promise.all([
      fingerprint([modelFile, mmprojFile]),
      FrameInput.create(gpu, ledger, frameOptions),
      VisionEncoder.create(gpu, ledger, {
        hyper: visionHyper,
        grid,
        weights: encoderWeights,
        slots: QUEUED_FRAMES,
        tokens: ledger.get('decoder.hidden'),
        features: Array.from({ length: hyper.deepstackLayers }, (_, i) =>
          ledger.get(`decoder.features.${i}`),
        ),
        positions,
        matmul,
      }),
      Decoder.create(gpu, ledger, {
        hyper,
        weights: decoderWeights,
        ring: ringShape,
        blockTokens,
        ending: layout.ending,
        matmul,
      }),
      Ring.create(gpu, ledger, ringShape, options.visualTokens, true),
      KeyRotation.create(gpu, ledger, ringShape, hyper),
    ]);
    options.onProgress({ stage: 'ready', fraction: 1, bytesDone, bytesTotal });
    const lens = await Lens.create(gpu, ledger, ring);
    return {
      name: modelFile.metadata.string('general.name', modelFile.source.name),
      fingerprint: print,
      gpu,
      ledger,
      grid,
      frameShape: layout.shape,
      frames,
      encoder,
      decoder,
      ring,
      rotation,
      lens,
      trainedPositions: layout.trainedPositions,
      video: family.video,
      tokenizer: layout.tokenizer,
      conversation: layout.conversation,
      frameText: layout.frameText,
      dispose: () => ledger.dispose(),
    };
  } catch (error) {
    ledger.dispose();
    throw error;
  }
}

/** @throws ModelFormatError when some of the tokenizer's ids have no embedding: they would read past its end. */
function readTokenizer(file: ModelFile, { vocab }: DecoderHyper): Tokenizer {
  const tokenizer = new Tokenizer(file.metadata);
  if (tokenizer.size <= vocab) return tokenizer;
  throw new ModelFormatError(
    `${file.source.name}: its tokenizer has ${tokenizer.size} tokens, but only ${vocab} of them have an embedding; it was put together from two models, or damaged. Download it again, or a file that somebody else converted.`,
  );
}

/** @throws ModelFormatError when the files lack the embedding that ends pictures and videos, or the pads it stands for. */
function endingOf(
  { source }: ModelFile,
  { newline }: VisionWeights,
  tokenizer: Tokenizer,
  { image, video }: VideoFormat['pads'],
): Ending {
  if (newline)
    return { embedding: newline, pads: { image: tokenizer.idOf(image), video: tokenizer.idOf(video) } };
  throw new ModelFormatError(
    `${source.name} has no tensor 'model.image_newline', which ends a video in models of its family; the file is damaged or of another model.`,
  );
}

/** @throws InvalidInputError when a frame and a short conversation would not fit into `wanted` positions. */
function positionRange(wanted: number, { contextLength }: DecoderHyper, frame: FrameShape): number {
  const least = MIN_TEXT_POSITIONS + 2 * side(frame);
  if (Number.isInteger(wanted) && wanted >= least) return Math.min(wanted, contextLength);
  throw new InvalidInputError(
    `The model is said to be trained on ${wanted} positions; it must be a whole number of at least ${least} for frames of this size. Correct its card, or choose smaller frames.`,
  );
}

/** Share of the progress bar for reading weights; compiling shaders takes the rest. */
const WEIGHTS_SHARE = 0.7;
