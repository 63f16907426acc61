// Qwen3-VL (arXiv 2511.21631): times are written as text, rotary pairs of time, rows and columns take turns, and
// features of several encoder blocks are added within the decoder's first layers (DeepStack, arXiv 2406.04334).

import type { Metadata } from '../gguf/metadata';
import { VISION_END, VISION_START } from '../text/chat-template';
import type { VisionTraits } from '../vision/hyper';
import type { Family } from './family';
import { QWEN2_VL } from './qwen2-vl';

export const QWEN3_VL: Family = {
  name: 'Qwen3-VL',
  architecture: 'qwen3vl',
  projector: 'qwen3vl_merger',
  decoder: { qkvBias: false, qkNorm: true, mrope: true, adjacentPairs: false, ropeInterleaved: true },
  vision,
  video: {
    ...QWEN2_VL.video,
    eachFrame: {
      before: (seconds) => `<${tenths(seconds)} seconds>${VISION_START}`,
      after: VISION_END,
    },
  },
};

function vision(metadata: Metadata): VisionTraits {
  const flags = metadata.booleans('clip.vision.is_deepstack_layers');
  return {
    framesPerPatch: 2,
    norm: 'layer',
    rotary: true,
    feedForward: 'gelu_tanh',
    learnedPositions: 'stretched',
    projector: 'mlp',
    deepstackBlocks: [...flags.keys()].filter((block) => flags[block]),
  };
}

/** With one decimal; a quarter goes down, to the even tenth, as in the prompts the model was trained on. */
function tenths(seconds: number): string {
  return (seconds % 1 === 0.25 ? seconds - 0.05 : seconds).toFixed(1);
}
