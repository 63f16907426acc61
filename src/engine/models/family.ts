// What the engine needs to be told of a model family: how its two files are to be read, and how video is put before
// its decoder. Everything else is shared; a family is one such value, in a file of its own.

import type { DecoderTraits } from '../decoder/hyper';
import type { Metadata } from '../gguf/metadata';
import type { FrameWords } from '../text/frame-text';
import type { VisionTraits } from '../vision/hyper';

/** How frames stand in the decoder's context. */
export interface VideoFormat {
  /** Tokens that stand for visual ones, one each, in prompts that are given whole. */
  readonly pads: { readonly image: string; readonly video: string };
  /**
   * Time positions a second, for families whose positions follow the frames' timestamps; where it is left out, each
   * temporal patch comes one position after the one before.
   */
  readonly positionsPerSecond?: number;
  /** Whether one more pad ends every picture and video: it stands for the vision file's own embedding `image_newline`. */
  readonly ended?: boolean;
  /** For families in which each temporal patch is a video of its own, between its own words and markers. */
  readonly eachFrame?: FrameWords;
}

export interface Family {
  /** As people call it. */
  readonly name: string;
  /** `general.architecture` of the decoder's file. */
  readonly architecture: string;
  /** `clip.projector_type` of the vision file. */
  readonly projector: string;
  readonly decoder: DecoderTraits;
  /** What the encoder computes; `metadata` is the vision file's. */
  readonly vision: (metadata: Metadata) => VisionTraits;
  readonly video: VideoFormat;
}
