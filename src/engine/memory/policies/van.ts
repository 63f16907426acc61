// Value norm alone (InfiniPot-V's VaN, arXiv 2506.15745): the tokens of largest ‖V‖₂, whatever their age;
// with pooling, of largest average over their neighbourhood.

import type { RetentionPolicy } from './policy';

export const van: RetentionPolicy = {
  name: 'van',
  plan: ({ keep, pooling }) => ({
    recentFrames: 0,
    stages: [{ score: pooling ? 'pooled-van' : 'van', upTo: keep }],
  }),
};
