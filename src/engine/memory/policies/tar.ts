// Temporal-axis redundancy alone (InfiniPot-V's TaR, arXiv 2506.15745): of F frames held, the newest ⌊F·ρ⌋ stay,
// and of the older tokens those whose keys are least like the recent keys at their patch.

import type { RetentionPolicy } from './policy';
import { recentFrames } from './recent-frames';

export const tar: RetentionPolicy = {
  name: 'tar',
  plan: (request) => ({
    recentFrames: recentFrames(request),
    stages: [{ score: 'tar', upTo: request.keep }],
  }),
};
