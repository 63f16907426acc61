// The tolerances of every numerical test, in one place, each with its reason.

/** Largest absolute differences allowed. */
export const TOLERANCE = {
  /** A kernel in f32 against double precision, for inputs in [-1, 1) and sums of a few hundred terms. */
  kernelF32: 2e-5,
  /** The same with half-precision tiles: x and w, here up to 2, each lose 2^-11 of their size. */
  kernelF16: 1e-2,
  /** A logit, of the sum of the sizes of its terms: some thousand of them, added up in f32 in another order. */
  largeHead: 1e-5,
  /** Attention over half-precision keys and values. */
  attentionF16Cache: 2e-3,
  /** Error of a key turned once, to its norm: sines and cosines are exact to 10^-7, as are sums. */
  turnedKeyF32: 1e-6,
  /** The same in halves: rounded once, each component by at most 2^-11 of itself. */
  turnedKeyF16: 5e-4,
  /** The same of a key cached in a long stream and turned several times, against one put where it now stands. */
  rebasedKeysF32: 1e-4,
  /** The same in halves, rounded again at each turn: by 2 · 10^-4 as a rule, and that in no one direction. */
  rebasedKeysF16: 1e-3,
  /** Two scores of retention closer than this may rank either way: their sums in f32 differ by device. */
  scoreGapF32: 1e-5,
  /** Visual tokens against transformers in f32, through every block of the encoder. */
  visualTokensF32: 1e-3,
  /** Last-position logits against transformers in f32, keys and values cached in f32. */
  logitsF32: 2e-3,
  /** The same with the half-precision ring every session uses. */
  logitsF16Cache: 2e-2,
  /** Half-precision tiles through every layer of encoder and decoder. */
  visualTokensF16: 5e-2,
  logitsF16: 1e-1,
} as const;
