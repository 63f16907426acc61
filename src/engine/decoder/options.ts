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

export interface DecoderOptions {
  readonly hyper: DecoderHyper;
  readonly weights: DecoderWeights;
  readonly ring: RingShape;
  readonly blockTokens: number;
  readonly matmul: MatmulChoice;
}
