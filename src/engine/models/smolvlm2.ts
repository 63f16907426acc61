// SmolVLM2 (arXiv 2504.05299): a SigLIP encoder, blocks of whose patches are joined and go through one matrix, before a
// Llama decoder with positions of one axis. Every frame is a picture of its own, with its time as text before it.
//
// Its processor squeezes every picture into one square, tells of a video how many frames it has and how long it is, and
// cuts still images into tiles beside the whole. Here frames are cropped to the shape asked for; nobody knows how long a
// stream will be, so the words before it leave that out; and nothing is tiled.

import type { Metadata } from '../gguf/metadata';
import type { VisionTraits } from '../vision/hyper';
import type { Family } from './family';

const AROUND = '<fake_token_around_image>';

export const SMOLVLM2: Family = {
  name: 'SmolVLM2',
  architecture: 'llama',
  projector: 'idefics3',
  decoder: { qkvBias: false, qkNorm: false, mrope: false, adjacentPairs: true, ropeInterleaved: false },
  vision,
  video: {
    pads: { image: '<image>', video: '<image>' },
    eachFrame: {
      before: (seconds) => `\nFrame from ${minutes(seconds)}:${AROUND}<global-img>`,
      after: AROUND,
      intro: 'You are provided the following series of frames from a video.\n',
      outro: '\n\n',
    },
  },
};

function vision(metadata: Metadata): VisionTraits {
  return {
    filter: 'lanczos',
    framesPerPatch: 1,
    norm: 'layer',
    rotary: false,
    feedForward: 'gelu_tanh',
    learnedPositions: 'nearest',
    projector: 'linear',
    mergeSize: metadata.number('clip.vision.projector.scale_factor'),
  };
}

/** Whole minutes and seconds, of two digits at least. */
function minutes(seconds: number): string {
  const digits = (count: number) => String(Math.floor(count)).padStart(2, '0');
  return `${digits(seconds / 60)}:${digits(seconds % 60)}`;
}
