// The weights a decoder needs, by their part in the computation.

import type { Matrix } from '../gpu/weights';

export interface DecoderLayerWeights {
  /** Buffer of the RMSNorm gain before attention, `[width]`. */
  readonly attentionNorm: string;
  /** Queries, keys and values stacked: `[(heads + 2 kvHeads) · headDim, width]`. */
  readonly qkv: Matrix;
  /** Buffer of the gains of query heads and key heads, `[2, headDim]`, where they are normalised. */
  readonly headNorms?: string;
  /** `[width, heads · headDim]` */
  readonly attentionOutput: Matrix;
  readonly ffnNorm: string;
  /** Gate and up stacked: `[2 ffnWidth, width]`. */
  readonly gateUp: Matrix;
  /** `[width, ffnWidth]` */
  readonly down: Matrix;
}

export interface DecoderWeights {
  /** `[vocab, width]` */
  readonly embedding: Matrix;
  readonly layers: readonly DecoderLayerWeights[];
  readonly outputNorm: string;
  /** `[vocab, width]`; the embedding itself where the head is tied. */
  readonly head: Matrix;
}
