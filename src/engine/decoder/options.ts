// What a decoder is made of, and what its programs depend on when they run.

import type { BlockShape, MatmulChoice } from '../gpu/linear';
import type { RingShape } from '../memory/ring-shape';
import type { DecoderHyper } from './hyper';
import type { DecoderWeights } from './weights';

/** Shape of the decoder's programs: tokens of the block, whether they come as ids, slots attention looks at. */
export interface DecoderShape extends BlockShape {
  readonly embed: boolean;
  readonly scanSlots: number;
}

/** What is put in for pads among a block's ids. */
export interface Ending {
  /** Buffer of the embedding, `[width]`. */
  readonly embedding: string;
  readonly pads: { readonly image: number; readonly video: number };
}

export interface DecoderOptions {
  readonly hyper: DecoderHyper;
  readonly weights: DecoderWeights;
  readonly ring: RingShape;
  readonly blockTokens: number;
  /** For families in which a pad ends pictures and videos. */
  readonly ending?: Ending;
  readonly matmul: MatmulChoice;
}
