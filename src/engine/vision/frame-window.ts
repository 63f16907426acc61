// Which part of a source frame is taken in: the largest centred rectangle of the model frame's aspect.

import type { BufferSpec } from '../gpu/memory-plan';

/** Which frame of a temporal patch: the first, the second if it has two, or a still image that fills it. */
export type PatchFrame = 0 | 1 | 'all';

/** A rectangle of the source, in whole pixels. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The largest centred crop of `source` with the aspect of `target`, rounded to whole pixels. */
export function centreCrop(source: Size, target: Size): Crop {
  const across = Math.round((source.height * target.width) / target.height);
  const down = Math.round((source.width * target.height) / target.width);
  const width = Math.max(1, Math.min(source.width, across));
  const height = Math.max(1, Math.min(source.height, down));
  return {
    left: Math.floor((source.width - width) / 2),
    top: Math.floor((source.height - height) / 2),
    width,
    height,
  };
}

const WINDOW_BYTES = 32;

/** The uniform buffer of shaders/lib/frame_window.wesl. */
export function planFrameWindow(name: string): BufferSpec {
  return { name, kind: 'uniform', purpose: 'control', bytes: WINDOW_BYTES };
}

/** Queues the write of a crop and of the frames of a temporal patch it goes to. */
export function writeFrameWindow(
  device: GPUDevice,
  buffer: GPUBuffer,
  crop: Crop,
  sourceWidth: number,
  [first, last]: readonly [number, number],
): void {
  const words = new Uint32Array(WINDOW_BYTES / 4);
  words.set([crop.left, crop.top, crop.width, crop.height, sourceWidth, first, last]);
  device.queue.writeBuffer(buffer, 0, words);
}
