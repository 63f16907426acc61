// Attention sinks and the most recent tokens (StreamingLLM, arXiv 2309.17453): the sinks are the pinned
// tokens, which no policy touches.

import type { RetentionPolicy } from './policy';

export const slidingWindow: RetentionPolicy = {
  name: 'sliding-window',
  plan: ({ keep }) => ({ recentFrames: 0, stages: [{ score: 'recency', upTo: keep }] }),
};
