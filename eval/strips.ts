// Film strips: frames one below the other in one JPEG picture.

import { videoFrames } from '../cli/video';
import type { RgbFrame } from '../src/engine/contract';

/** Cuts a strip of `count` frames into them; needs ffmpeg. */
export async function stripFrames(path: string, count: number): Promise<RgbFrame[]> {
  // ffmpeg takes a picture for a video of one frame at 25 a second.
  for await (const { width, height, data } of videoFrames(path, 25)) {
    const size = width * (height / count);
    return Array.from({ length: count }, (_, i) => ({
      width,
      height: height / count,
      data: data.subarray(i * size * 3, (i + 1) * size * 3),
    }));
  }
  return [];
}
