// Whole frames, evenly over the time of the stream: those that `evenFrames` picks, one for each of ⌈T/p⌉ equal
// stretches of it (T tokens stay, p a frame). Where T is no whole number of frames, the newest of them keeps its
// first patches only. Score: − distance, in frames, to the nearest picked one; so where another policy has
// left holes in a picked frame, tokens of the frames beside it stand in.

import type { RetentionPolicy } from './policy';

export const uniform: RetentionPolicy = {
  name: 'uniform',
  plan: ({ keep }) => ({ recentFrames: 0, stages: [{ score: 'even', upTo: keep }] }),
};
