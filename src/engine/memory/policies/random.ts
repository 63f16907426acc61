// Any token is as good as any other: those with the largest hash(seed, sequence number). As that number never
// changes, what is held after any series of prunes is an even sample of all tokens seen before the last one.
// The same tokens stay in every layer and head.

import type { RetentionPolicy } from './policy';

export const random: RetentionPolicy = {
  name: 'random',
  plan: ({ keep }) => ({ recentFrames: 0, stages: [{ score: 'random', upTo: keep }] }),
};
