// What a vision encoder is made of, whatever family it is of: options and sizes.

import type { Matrix } from '../gpu/weights';

/** Stretched over the whole table, between its places; or each at the place on the table that its edge lies in. */
export type PositionFit = 'stretched' | 'nearest';

/** How pictures are resized; see shaders/lib/resample.wesl. */
export type Filter = 'bicubic' | 'lanczos';

/** What sets the encoder of one family apart from another's. */
export interface VisionTraits {
  /** Bicubic if left out. */
  readonly filter?: Filter;
  /** Frames that a patch spans in time: video is encoded so many at a time. */
  readonly framesPerPatch: 1 | 2;
  /** RMS norms have no bias. */
  readonly norm: 'layer' | 'rms';
  /** Patches know where they are by a rotary embedding of rows and columns. */
  readonly rotary: boolean;
  /** The feed-forward part of a block: its activation, or gated by SiLU. */
  readonly feedForward: 'quick_gelu' | 'gelu_tanh' | 'swiglu';
  /** Where most blocks attend within windows only. */
  readonly windows?: {
    /** Side of a window; those at the right and bottom edges may be smaller. */
    readonly pixels: number;
    /** Blocks N − 1, 2N − 1, … attend to the whole frame. */
    readonly wholeEvery: number;
  };
  /** Patches know where they are by a learned table of a square of patches; how a frame's lie on it. */
  readonly learnedPositions?: PositionFit;
  /**
   * How a visual token is made of its patches: normalised, by two matrices with GELU between or by one; or of each patch
   * as it is, by two.
   */
  readonly projector: 'mlp' | 'linear' | 'patch_mlp';
  /** Visual tokens a side that are pooled to one where frames are a video's, not still pictures; 1 if left out. */
  readonly videoPooling?: 2;
  /** Patches a side that make one visual token, where the file does not say it as `spatial_merge_size`. */
  readonly mergeSize?: number;
  /** Blocks whose output goes to the decoder's first layers, through a merger each (DeepStack). */
  readonly deepstackBlocks?: readonly number[];
}

/** Sizes and constants of the encoder. */
export interface VisionHyper extends VisionTraits {
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
  /** Of the norms. */
  readonly epsilon: number;
  /** Of red, green and blue scaled to 0..1. */
  readonly imageMean: readonly [number, number, number];
  readonly imageStd: readonly [number, number, number];
}

/** Buffer names of a norm. */
export interface NormWeights {
  readonly gain: string;
  /** Of a layer norm. */
  readonly bias?: string;
}

/** Weights of one transformer block. */
export interface VisionBlockWeights {
  readonly norm1: NormWeights;
  /** `[3 * embed, embed]`: queries, keys, values. */
  readonly qkv: Matrix;
  readonly out: Matrix;
  readonly norm2: NormWeights;
  /** `[ffn, embed]`; where the part is gated `[2 * ffn, embed]`, gate before values. */
  readonly fc1: Matrix;
  readonly fc2: Matrix;
}

/** Makes one visual token of a merge block. */
export interface MergerWeights {
  /** Of each patch; or of a merge block's patches joined, `[mergeSize² * embed]`. None before `patch_mlp`. */
  readonly norm?: NormWeights;
  /**
   * The last `[outputWidth, mergeSize² * embed]`; one before it is square, and GELU comes between. In `patch_mlp`
   * `[outputWidth, embed]` and a square one.
   */
  readonly layers: readonly Matrix[];
}

/** All weights of the encoder. */
export interface VisionWeights {
  /** `[embed, 3 * patchSize²]` for each frame of a temporal patch. */
  readonly patch: readonly Matrix[];
  readonly blocks: readonly VisionBlockWeights[];
  /** Normalises each patch, if anything. */
  readonly merger: MergerWeights;
  /** Buffer of the embedding that ends pictures and videos, `[outputWidth]`, where the file has one. */
  readonly newline?: string;
  /** One for each of `deepstackBlocks`; they normalise merge blocks. */
  readonly deepstack: readonly MergerWeights[];
}
