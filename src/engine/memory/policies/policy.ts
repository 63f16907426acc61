// What a retention policy is: pure arithmetic that says how many tokens stay and by which scores. The
// choosing itself happens on the GPU (shaders/ring_prune.wesl); a new policy is a file here and a line in
// index.ts, and a new score a kernel besides.

import type { PolicyName } from '../../contract';

/**
 * What tokens can be ranked by, highest first, of equal ones the older first:
 * - `recency`: the sequence number,
 * - `tar`: temporal-axis redundancy, − mean cosine with the recent keys at the same patch; of keys as cached or with
 *   their rotation undone, as the ring was told,
 * - `van`: value norm; `pooled-van`: its average over the token's neighbourhood (shaders/ring_pooled_norms.wesl),
 * - `even`: − distance in frames to the nearest of those spread evenly over the stream,
 * - `random`: hash of seed and sequence number.
 * `tar` and `even` are computed into the same buffer, so a policy uses one of them.
 */
export type ScoreKind = 'recency' | 'tar' | 'van' | 'pooled-van' | 'even' | 'random';

/** What a policy knows of the cache when it must choose; the same for every layer and head. */
export interface RetentionRequest {
  /** Visual tokens held, a whole number of frames' worth. */
  readonly visualTokens: number;
  readonly tokensPerFrame: number;
  /** How many may stay. */
  readonly keep: number;
  /** Whether value norms are pooled. */
  readonly pooling: boolean;
}

/** Which visual tokens stay. */
export interface RetentionPlan {
  /** The newest frames, kept whole. */
  readonly recentFrames: number;
  /** Applied in order: each adds the top of what is not kept yet until `upTo` visual tokens are kept. The last reaches `keep`. */
  readonly stages: readonly { readonly score: ScoreKind; readonly upTo: number }[];
}

export interface RetentionPolicy {
  readonly name: PolicyName;
  /** Absent: this policy never lets go of a token. */
  readonly plan?: (request: RetentionRequest) => RetentionPlan;
}
