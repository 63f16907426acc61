// InfiniPot-V (arXiv 2506.15745): of F frames held, the newest ⌊F·ρ⌋ stay; then the tokens least like what is
// seen now (TaR) until a share α of the kept tokens is chosen; then the ones with the largest values (VaN).

import type { RetentionPolicy } from './policy';

/** ρ, the share of frames that count as recent. */
export const RECENT_SHARE = 0.25;

/** α, the share of kept tokens chosen for being recent or temporally distinct. */
const DISTINCT_SHARE = 0.5;

export const infinipotV: RetentionPolicy = {
  name: 'infinipot-v',
  plan: ({ visualTokens, tokensPerFrame, keep }) => {
    const share = Math.floor((visualTokens / tokensPerFrame) * RECENT_SHARE);
    // With fewer than four frames the newest still counts as recent, or TaR had nothing to compare with; and a
    // budget cut at run time may leave room for fewer frames than the share.
    const recentFrames = Math.min(Math.max(share, 1), Math.floor(keep / tokensPerFrame));
    const distinct = Math.max(recentFrames * tokensPerFrame, Math.floor(DISTINCT_SHARE * keep));
    return {
      recentFrames,
      stages: [
        { score: 'tar', upTo: distinct },
        { score: 'van', upTo: keep },
      ],
    };
  },
};
