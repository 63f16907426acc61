// The published models whose true sizes are tried, each in two pairs of files: between them, every type that its hub
// repositories offer for phones. Sizes are those of the models' `config.json`.

import {
  type DecoderSizes,
  decoderFile,
  type EncoderSizes,
  encoderFile,
  type FileOutline,
} from './model-files';

/** Two files, and a frame small enough for a software adapter. */
export interface LargePair {
  /** As it is asked for on the command line. */
  readonly name: string;
  /** Made when asked for: a vocabulary takes some room. */
  model(): FileOutline;
  mmproj(): FileOutline;
  readonly frame: { readonly width: number; readonly height: number };
}

interface Sizes {
  readonly name: string;
  readonly decoder: DecoderSizes;
  readonly encoder: EncoderSizes;
  readonly frame: LargePair['frame'];
}

const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** Qwen/Qwen2.5-VL-3B-Instruct. */
const QWEN2_5_VL_3B: Sizes = {
  name: 'qwen2.5-vl-3b',
  decoder: {
    architecture: 'qwen2vl',
    hidden: 2048,
    layers: 36,
    heads: 16,
    kvHeads: 2,
    headDim: 128,
    intermediate: 11008,
    vocab: 151936,
    maxPositions: 128000,
    ropeTheta: 1e6,
    ropeSections: [16, 24, 24],
  },
  encoder: {
    projector: 'qwen2.5vl_merger',
    hidden: 1280,
    depth: 32,
    heads: 16,
    intermediate: 3420,
    patch: 14,
    merge: 2,
    wholeEvery: 8,
    ...CLIP,
  },
  frame: { width: 112, height: 112 },
};

/** Qwen/Qwen3-VL-2B-Instruct. */
const QWEN3_VL_2B: Sizes = {
  name: 'qwen3-vl-2b',
  decoder: {
    architecture: 'qwen3vl',
    hidden: 2048,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    intermediate: 6144,
    vocab: 151936,
    maxPositions: 262144,
    ropeTheta: 5e6,
    ropeSections: [24, 20, 20],
  },
  encoder: {
    projector: 'qwen3vl_merger',
    hidden: 1024,
    depth: 24,
    heads: 16,
    intermediate: 4096,
    patch: 16,
    merge: 2,
    positions: 2304,
    deepstack: [5, 11, 17],
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
  frame: { width: 128, height: 128 },
};

/** Types of decoder and encoder that are often downloaded together. */
const TYPES = [
  ['Q4_0', 'F16'],
  ['Q4_K_M', 'Q8_0'],
] as const;

export const LARGE_PAIRS: readonly LargePair[] = [QWEN2_5_VL_3B, QWEN3_VL_2B].flatMap(
  ({ name, decoder, encoder, frame }) =>
    TYPES.map(([decoderTypes, encoderTypes]) => ({
      name: `${name}-${decoderTypes}-${encoderTypes}`.toLowerCase(),
      model: () => decoderFile(name, decoder, decoderTypes, encoder.deepstack?.length),
      mmproj: () => encoderFile(name, encoder, encoderTypes, decoder.hidden),
      frame,
    })),
);
