// InfiniPot-V (arXiv 2506.15745): of F frames held, the newest ⌊F·ρ⌋ stay; then the tokens least like what is
// seen now (TaR) until a share α of the kept tokens is chosen; then the ones with the largest values (VaN), which
// pooling averages over each token's neighbourhood.

import type { RetentionPolicy } from './policy';
import { recentFrames } from './recent-frames';

/** α, the share of kept tokens chosen for being recent or temporally distinct. */
const DISTINCT_SHARE = 0.5;

export const infinipotV: RetentionPolicy = {
  name: 'infinipot-v',
  plan: (request) => {
    const { tokensPerFrame, keep, pooling } = request;
    const recent = recentFrames(request);
    // The authors round the share chosen by value, and halves to even; what is left is TaR's.
    const distinct = keep - roundHalfToEven((1 - DISTINCT_SHARE) * keep);
    return {
      recentFrames: recent,
      stages: [
        { score: 'tar', upTo: Math.max(recent * tokensPerFrame, distinct) },
        { score: pooling ? 'pooled-van' : 'van', upTo: keep },
      ],
    };
  },
};

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
