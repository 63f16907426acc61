// Qwen2-VL (arXiv 2409.12191).

import type { Family } from './family';

export const QWEN2_VL: Family = {
  name: 'Qwen2-VL',
  architecture: 'qwen2vl',
  projector: 'qwen2vl_merger',
  decoder: { qkvBias: true, qkNorm: false, mrope: true, adjacentPairs: false, ropeInterleaved: false },
  vision: () => ({
    framesPerPatch: 2,
    norm: 'layer',
    rotary: true,
    feedForward: 'quick_gelu',
    projector: 'mlp',
  }),
  video: { pads: { image: '<|image_pad|>', video: '<|video_pad|>' } },
};
