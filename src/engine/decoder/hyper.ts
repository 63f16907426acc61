// Hyper-parameters of a decoder, whatever family they come from.

/** What sets the decoder of one family apart from another's. */
export interface DecoderTraits {
  /** Queries, keys and values have a bias. */
  readonly qkvBias: boolean;
  /** Each head of queries and keys is RMS-normalised before it is rotated. */
  readonly qkNorm: boolean;
  /**
   * Positions are of time, height and width, and a frame's tokens stand on a grid (M-RoPE); else there is one axis, and
   * every token takes one position, visual ones too.
   */
  readonly mrope: boolean;
  /** The file has the two rows of a rotary pair of queries and keys side by side, not half a head apart. */
  readonly adjacentPairs: boolean;
  /** Rotary pairs of time, height and width take turns, as far as the two shorter sections reach. */
  readonly ropeInterleaved: boolean;
}

/** How positions rotate queries and keys. */
export interface Rope {
  readonly ropeTheta: number;
  /** Rotary pairs turned by time, height and width; they sum to `headDim / 2`. */
  readonly ropeSections: readonly [time: number, height: number, width: number];
  readonly ropeInterleaved?: boolean;
}

/** A transformer decoder with grouped-query attention, SwiGLU and rotary positions, multimodal ones or of one axis. */
export interface DecoderHyper extends DecoderTraits, Rope {
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
  readonly ropeInterleaved: boolean;
  /** First layers behind which features of the encoder's own are added to visual tokens (DeepStack). */
  readonly deepstackLayers: number;
}
