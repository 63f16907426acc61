// The model that commands run: the bundled one, or two files given; with the card beside them, if there is one.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteSource } from '../src/engine/gguf/byte-source';
import { nodeFileSource } from '../src/engine/gguf/node-file';
import { type Arguments, type Option, UsageError } from './command';
import { TOKEN_SIDE } from './frames';

/** The bundled model's folder, seen from the repository. */
const BUNDLED = 'public/models/toybox';

export const MODEL_OPTIONS = {
  model: { value: 'FILE.gguf', help: 'The decoder; the bundled model (Toybox) if left out.' },
  mmproj: { value: 'FILE.gguf', help: 'The vision encoder that belongs to it.' },
  size: {
    value: 'WxH',
    help: "Size in pixels that the model sees, in multiples of 28; the model card's if left out, else 224x224.",
  },
} as const satisfies Record<string, Option>;

/** A model's files and how it wants to be fed. */
export interface ModelFiles {
  readonly model: ByteSource;
  readonly mmproj: ByteSource;
  readonly frame: { readonly width: number; readonly height: number };
  /** Frames a second of the video it is made for. */
  readonly framesPerSecond: number;
  /** Rotary positions it was trained on, where its card says so. */
  readonly trainedPositions?: number;
}

/**
 * Reads {@link MODEL_OPTIONS}.
 * @throws UsageError when only one file is given or the size is malformed; ModelFormatError when a file is missing.
 */
export async function modelFiles(args: Arguments): Promise<ModelFiles> {
  const [model, mmproj] = [args.text('model'), args.text('mmproj')];
  if ((model === undefined) !== (mmproj === undefined)) {
    const missing = model === undefined ? 'model' : 'mmproj';
    throw new UsageError(
      `--${missing} is missing: a model is two files, the decoder and its vision encoder.`,
    );
  }
  const size = args.text('size');
  const frame = size === undefined ? undefined : parseSize(size);
  const modelPath = model ?? join(BUNDLED, 'model.gguf');
  const card = await readCard(dirname(modelPath));
  return {
    model: await nodeFileSource(modelPath),
    mmproj: await nodeFileSource(mmproj ?? join(BUNDLED, 'mmproj.gguf')),
    frame: frame ?? { width: card.frameWidth ?? 224, height: card.frameHeight ?? 224 },
    framesPerSecond: card.framesPerSecond ?? 2,
    trainedPositions: card.trainedPositions,
  };
}

function parseSize(text: string): { width: number; height: number } {
  const [width, height] =
    text
      .match(/^(\d+)x(\d+)$/)
      ?.slice(1)
      .map(Number) ?? [];
  if (!width || !height || width % TOKEN_SIDE !== 0 || height % TOKEN_SIDE !== 0) {
    throw new UsageError(
      `--size is ${text}; give width and height in multiples of ${TOKEN_SIDE}, as in 224x168.`,
    );
  }
  return { width, height };
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
