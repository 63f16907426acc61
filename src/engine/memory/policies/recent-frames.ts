// What "recent" means to the policies that compare older tokens with what is seen now (InfiniPot-V,
// arXiv 2506.15745): of F frames' worth held, the newest ⌊F·ρ⌋ frames.

import type { RetentionRequest } from './policy';

/** ρ, the share of frames that count as recent. */
const RECENT_SHARE = 0.25;

/** How many of the newest frames are recent, and so kept whole. */
export function recentFrames({ visualTokens, tokensPerFrame, keep }: RetentionRequest): number {
  const share = Math.floor((visualTokens / tokensPerFrame) * RECENT_SHARE);
  // With fewer than four frames the newest still counts as recent, or TaR had nothing to compare with; and a
  // budget cut at run time may leave room for fewer frames than the share.
  return Math.min(Math.max(share, 1), Math.floor(keep / tokensPerFrame));
}
