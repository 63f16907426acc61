// Qwen2.5-VL (arXiv 2502.13923): Qwen2-VL with an encoder that attends within windows in most of its blocks, and
// time positions that follow the clock.

import { ModelFormatError } from '../errors';
import type { Metadata } from '../gguf/metadata';
import type { VisionTraits } from '../vision/hyper';
import type { Family } from './family';
import { QWEN2_VL } from './qwen2-vl';

export const QWEN2_5_VL: Family = {
  name: 'Qwen2.5-VL',
  architecture: 'qwen2vl',
  projector: 'qwen2.5vl_merger',
  decoder: QWEN2_VL.decoder,
  vision,
  // Of every published checkpoint; the files do not state it.
  video: { ...QWEN2_VL.video, positionsPerSecond: 2 },
};

/** Side of a window in pixels where the file does not state it. */
const WINDOW_PIXELS = 112;

function vision(metadata: Metadata): VisionTraits {
  const key = 'clip.vision.n_wa_pattern';
  if (!metadata.has(key)) {
    throw new ModelFormatError(
      `${metadata.fileName} does not say which blocks attend to the whole frame ("${key}"): it was made by an early converter. Download a file that was converted since May 2025.`,
    );
  }
  return {
    framesPerPatch: 2,
    norm: 'rms',
    rotary: true,
    feedForward: 'swiglu',
    projector: 'mlp',
    windows: {
      pixels: metadata.number('clip.vision.window_size', WINDOW_PIXELS),
      wholeEvery: metadata.number(key),
    },
  };
}
