// Hyper-parameters of a decoder, whatever family they come from.

/** A transformer decoder with grouped-query attention, SwiGLU and multimodal rotary positions. */
export interface DecoderHyper {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnWidth: number;
  readonly vocab: number;
  /** Positions the file says it was made for. */
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  /** Rotary pairs turned by time, height and width; they sum to `headDim / 2`. */
  readonly ropeSections: readonly [time: number, height: number, width: number];
}
