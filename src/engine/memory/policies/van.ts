// Value norm alone (InfiniPot-V's VaN, arXiv 2506.15745): the tokens of largest ‖V‖₂, whatever their age.

import type { RetentionPolicy } from './policy';

export const van: RetentionPolicy = {
  name: 'van',
  plan: ({ keep }) => ({ recentFrames: 0, stages: [{ score: 'van', upTo: keep }] }),
};
