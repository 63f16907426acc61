// Small pictures of what was watched, for as long as each stands for a moment of memory. Their number and size are
// bounded by what the engine tells apart, not by how long is watched.
import { centreCrop } from '../../engine/vision/frame-window';
import type { ModelCard } from './model-card';

/** Longest side of a picture in pixels. */
const LONGEST_SIDE = 224;

/** Most pictures of frames that are not known to be moments yet; of more, the newest. */
export const MOST_WAITING = 64;

/**
 * What the model sees of a frame, no sharper than it sees it; leaves the frame open.
 * @returns null where the browser has no memory left for a canvas.
 */
export function takePicture(frame: VideoFrame, { frameWidth, frameHeight }: ModelCard): ImageBitmap | null {
  const seen = { width: frameWidth, height: frameHeight };
  const { left, top, width, height } = centreCrop(
    { width: frame.displayWidth, height: frame.displayHeight },
    seen,
  );
  const scale = Math.min(1, LONGEST_SIDE / Math.max(frameWidth, frameHeight));
  const canvas = new OffscreenCanvas(Math.round(frameWidth * scale), Math.round(frameHeight * scale));
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.imageSmoothingQuality = 'high';
  context.drawImage(frame, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return canvas.transferToImageBitmap();
}

/** Pictures by the times of their frames. It owns them: those it lets go of are closed. */
export class Album {
  readonly #pictures = new Map<number, ImageBitmap>();
  #newestMomentMs = Number.NEGATIVE_INFINITY;

  /** Of all pictures' pixels. */
  get bytes(): number {
    let bytes = 0;
    for (const { width, height } of this.#pictures.values()) bytes += width * height * 4;
    return bytes;
  }

  /** Adds the picture of a frame, later than all before. */
  put(timestampMs: number, picture: ImageBitmap): void {
    this.#pictures.set(timestampMs, picture);
    const waiting = [...this.#pictures.keys()].filter((time) => time > this.#newestMomentMs);
    for (const time of waiting.slice(0, -MOST_WAITING)) this.#drop(time);
  }

  at(timestampMs: number): ImageBitmap | null {
    return this.#pictures.get(timestampMs) ?? null;
  }

  /** Lets go of every picture that is of none of these moments, and not later than they. */
  keep(momentsMs: readonly number[]): void {
    this.#newestMomentMs = momentsMs.at(-1) ?? this.#newestMomentMs;
    const kept = new Set(momentsMs);
    for (const time of this.#pictures.keys()) {
      if (time <= this.#newestMomentMs && !kept.has(time)) this.#drop(time);
    }
  }

  clear(): void {
    for (const time of this.#pictures.keys()) this.#drop(time);
    this.#newestMomentMs = Number.NEGATIVE_INFINITY;
  }

  #drop(timestampMs: number): void {
    this.#pictures.get(timestampMs)?.close();
    this.#pictures.delete(timestampMs);
  }
}
