// The model that commands run: the bundled one, or two files given; with the card beside them, if there is one.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import { openModelFile } from '../src/engine/gguf/model-file';
import { nodeFileSource } from '../src/engine/gguf/node-file';
import { familyOf } from '../src/engine/models';
import { readVisionHyper } from '../src/engine/models/vision-file';
import { frameGrid } from '../src/engine/vision/frame-grid';
import type { VisionHyper } from '../src/engine/vision/hyper';
import { type Arguments, type Option, UsageError } from './command';
import { downloadModel, modelAddress } from './model-download';

/** The bundled model's folder, seen from the repository. */
const BUNDLED = 'public/models/toybox';

export const MODEL_OPTIONS = {
  model: {
    value: 'FILE.gguf',
    help: 'The decoder: a file, an address, or hf:owner/name[:part of the file name] on the Hugging Face hub; the bundled model (Toybox) if left out.',
  },
  mmproj: {
    value: 'FILE.gguf',
    help: 'The vision encoder that belongs to it; of a model on the hub a part of its name, where there are several.',
  },
  size: {
    value: 'WxH',
    help: "Size in pixels that the model sees, in whole visual tokens (28 pixels a side in Qwen2-VL and Qwen2.5-VL, 32 in Qwen3-VL; 64, or 42 in the 2.2B, in SmolVLM2, which wants squares of 512 or 378; 14 in LLaVA-OneVision, which wants squares of 378); the model card's if left out, else 224x224.",
  },
} as const satisfies Record<string, Option>;

/** A model's files and how it wants to be fed. */
export interface ModelFiles {
  readonly model: ByteSource;
  readonly mmproj: ByteSource;
  readonly frame: { readonly width: number; readonly height: number };
  /** Visual tokens of a temporal patch of that size: of two frames, in SmolVLM2 and LLaVA-OneVision of one. */
  readonly tokensPerFrame: number;
  /** Frames a second of the video it is made for. */
  readonly framesPerSecond: number;
  /** Rotary positions it was trained on, where its card says so. */
  readonly trainedPositions?: number;
}

/**
 * Reads {@link MODEL_OPTIONS}.
 * @throws UsageError when only one file is given or the size is malformed; ModelFormatError when a file is missing;
 *   errors of `downloadModel`.
 */
export async function modelFiles(args: Arguments): Promise<ModelFiles> {
  const [model, mmproj] = [args.text('model'), args.text('mmproj')];
  const address = model === undefined ? null : modelAddress(model, mmproj);
  if (!address && (model === undefined) !== (mmproj === undefined)) {
    const missing = model === undefined ? 'model' : 'mmproj';
    throw new UsageError(
      `--${missing} is missing: a model is two files, the decoder and its vision encoder.`,
    );
  }
  const modelPath = model ?? join(BUNDLED, 'model.gguf');
  const card: Card = address ? {} : await readCard(dirname(modelPath));
  const sources = address ? await downloadModel(address) : await openFiles(modelPath, mmproj);
  const { patchSize, mergeSize, framesPerPatch, videoPooling } = await readVision(sources.mmproj);
  const size = args.text('size');
  const given = size === undefined ? undefined : parseSize(size, patchSize * mergeSize);
  const frame = given ?? { width: card.frameWidth ?? 224, height: card.frameHeight ?? 224 };
  return {
    model: sources.model,
    mmproj: sources.mmproj,
    frame,
    tokensPerFrame: frameGrid(frame.width, frame.height, patchSize, mergeSize, framesPerPatch, videoPooling)
      .tokens,
    framesPerSecond: card.framesPerSecond ?? 2,
    trainedPositions: card.trainedPositions,
  };
}

async function openFiles(model: string, mmproj = join(BUNDLED, 'mmproj.gguf')) {
  return { model: await nodeFileSource(model), mmproj: await nodeFileSource(mmproj) };
}

function parseSize(text: string, side: number): { width: number; height: number } {
  const [width, height] =
    text
      .match(/^(\d+)x(\d+)$/)
      ?.slice(1)
      .map(Number) ?? [];
  if (!width || !height || width % side !== 0 || height % side !== 0) {
    throw new UsageError(
      `--size is ${text}; give width and height in multiples of ${side}, as in ${8 * side}x${6 * side}.`,
    );
  }
  return { width, height };
}

/** What the encoder is. @throws ModelFormatError when the file is not of a family the engine runs. */
export async function readVision(mmproj: ByteSource): Promise<VisionHyper> {
  const file = await openModelFile(mmproj);
  return readVisionHyper(file, familyOf(file).vision(file.metadata));
}

interface Card {
  readonly frameWidth?: number;
  readonly frameHeight?: number;
  readonly framesPerSecond?: number;
  readonly trainedPositions?: number;
}

/** The `card.json` of a model's folder; an empty one where there is none. */
async function readCard(folder: string): Promise<Card> {
  const text = await readFile(join(folder, 'card.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as Card;
}
