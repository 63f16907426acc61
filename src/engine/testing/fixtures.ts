// The small random checkpoints of reference/fixtures and what transformers computed with them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npyFloats, npyFrames, parseNpy } from '../../npy';
import type { RgbFrame } from '../contract';
import { nodeFileSource } from '../gguf/node-file';

const FOLDER = join(import.meta.dirname, '../../../reference/fixtures');

/** An image or video of a prompt. */
export interface Medium {
  readonly kind: 'image' | 'video';
  /** Temporal patches, and rows and columns of patches. */
  readonly grid: readonly [time: number, rows: number, columns: number];
  readonly frames: readonly RgbFrame[];
  /** Place of the first visual token among the prompt's ids. */
  readonly start: number;
  readonly framesPerSecond: number;
  /** Golden visual tokens, `[tokens, width]`. */
  readonly visualTokens: Float32Array<ArrayBuffer>;
  /** And what is added to them behind the decoder's first layers, in the same form. */
  readonly features: readonly Float32Array<ArrayBuffer>[];
}

/** A prompt and its golden outputs. */
export interface Case {
  readonly name: string;
  readonly ids: readonly number[];
  readonly media: readonly Medium[];
  /** Of the prompt's last position, computed in f32 throughout, and with keys and values rounded to f16. */
  readonly lastLogits: Float32Array;
  readonly lastLogitsF16Cache: Float32Array;
  readonly greedyIds: readonly number[];
}

export interface Fixture {
  readonly name: string;
  readonly hiddenSize: number;
  readonly modelType: string;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of a visual token. */
  readonly mergeSize: number;
  /** Of a temporal patch. */
  readonly framesPerPatch: number;
  /** Visual tokens a side of a video's frames that are pooled to one. */
  readonly videoPooling: 1 | 2;
  readonly pads: { readonly image: number; readonly video: number };
  readonly cases: readonly Case[];
}

interface StoredCase {
  readonly name: string;
  readonly ids: number[];
  readonly media: {
    kind: 'image' | 'video';
    grid: [number, number, number];
    framesFile: string;
    framesPerSecond: number;
    tokenStart: number;
    tokenCount: number;
  }[];
  readonly visualTokensFile?: string;
  readonly lastLogits: string;
  readonly lastLogitsF16Cache: string;
  readonly greedyIds: number[];
}

/** Every checkpoint. */
export function fixtures(): Fixture[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.model.gguf'));
  return names.sort().map((file) => fixture(file.replace('.model.gguf', '')));
}

/** One checkpoint by name. */
export function fixture(name: string): Fixture {
  const { config, cases } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
  return {
    name,
    hiddenSize: config.hiddenSize,
    modelType: config.modelType,
    patchSize: config.patchSize,
    mergeSize: config.mergeSize,
    framesPerPatch: config.framesPerPatch,
    videoPooling: config.videoPooling,
    pads: { image: config.imagePadId, video: config.videoPadId },
    cases: cases.map((stored: StoredCase) => readCase(stored, config.hiddenSize, config.deepstackLayers)),
  };
}

/** Byte sources of a checkpoint's two files. */
export async function fixtureFiles(name: string) {
  const [model, mmproj] = await Promise.all(
    ['model', 'mmproj'].map((part) => nodeFileSource(join(FOLDER, `${name}.${part}.gguf`))),
  );
  return { model: model!, mmproj: mmproj! };
}

/** Bytes of a file of the fixtures folder. */
export function fixtureBytes(file: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(FOLDER, file)));
}

function readCase(stored: StoredCase, width: number, layers: number): Case {
  const visual = stored.visualTokensFile
    ? npyFloats(
        parseNpy(fixtureBytes(stored.visualTokensFile), stored.visualTokensFile),
        stored.visualTokensFile,
      )
    : new Float32Array();
  /** Of a medium: columns `part · width` on. */
  const columns = (index: number, part: number) => {
    const before = stored.media.slice(0, index).reduce((sum, { tokenCount }) => sum + tokenCount, 0);
    const { tokenCount } = stored.media[index]!;
    const values = new Float32Array(tokenCount * width);
    for (let token = 0; token < tokenCount; token++) {
      const at = ((before + token) * (1 + layers) + part) * width;
      values.set(visual.subarray(at, at + width), token * width);
    }
    return values;
  };
  return {
    name: stored.name,
    ids: stored.ids,
    media: stored.media.map(({ kind, grid, framesFile, framesPerSecond, tokenStart }, index) => ({
      kind,
      start: tokenStart,
      grid,
      framesPerSecond,
      frames: npyFrames(parseNpy(fixtureBytes(framesFile), framesFile), framesFile),
      visualTokens: columns(index, 0),
      features: Array.from({ length: layers }, (_, i) => columns(index, 1 + i)),
    })),
    lastLogits: base64Floats(stored.lastLogits),
    lastLogitsF16Cache: base64Floats(stored.lastLogitsF16Cache),
    greedyIds: stored.greedyIds,
  };
}

function base64Floats(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
