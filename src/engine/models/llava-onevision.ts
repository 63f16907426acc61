// LLaVA-OneVision (arXiv 2408.03326): a SigLIP encoder without its last norm, two matrices for each patch, before a Qwen2
// decoder with positions of one axis. Frames of a video are pooled to half their rows and columns, and the embedding
// `image_newline` ends every picture and every video.
//
// A stream has no end, but frames come to one whenever a question is asked: there the embedding stands. Its processor
// squeezes every picture into one square, of which the last few pixels make no whole patch; here frames are cropped to
// the shape asked for. Still pictures are not cut into tiles: each is seen as where there are several.

import type { Family } from './family';

export const LLAVA_ONEVISION: Family = {
  name: 'LLaVA-OneVision',
  architecture: 'qwen2',
  projector: 'mlp',
  decoder: { qkvBias: true, qkNorm: false, mrope: false, adjacentPairs: false, ropeInterleaved: false },
  vision: () => ({
    framesPerPatch: 1,
    norm: 'layer',
    rotary: false,
    feedForward: 'gelu_tanh',
    learnedPositions: 'nearest',
    projector: 'patch_mlp',
    mergeSize: 1,
    videoPooling: 2,
  }),
  video: { pads: { image: '<image>', video: '<video>' }, ended: true },
};
