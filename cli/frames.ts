// Arrays and frames for the command line, from .npy files.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RgbFrame } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';
import { type NpyArray, npyFrames, parseNpy } from '../src/npy';

/**
 * The array in a .npy file, and the file's name for messages.
 * @throws InvalidInputError when there is no such file, or it is no plain array.
 */
export async function readNpy(path: string): Promise<{ array: NpyArray; name: string }> {
  const name = basename(path);
  const raw = await readFile(path).catch((cause: unknown) => {
    throw new InvalidInputError(`${name} cannot be read at ${path}. Check the path.`, { cause });
  });
  return { array: parseNpy(new Uint8Array(raw), name), name };
}

/**
 * Frames of a uint8 array `[frames, height, width, 3]`.
 * @throws InvalidInputError when there is no such file, it is of another shape, or holds no frame.
 */
export async function readFrames(path: string): Promise<readonly [RgbFrame, ...RgbFrame[]]> {
  const { array, name } = await readNpy(path);
  const [first, ...rest] = npyFrames(array, name);
  if (!first || first.data.length === 0) throw new InvalidInputError(`${name} holds no frames.`);
  return [first, ...rest];
}

/**
 * The multiple of a visual token's side nearest to a side in pixels, as Qwen2-VL's smart_resize rounds (halves to
 * even).
 */
export function nearestSide(pixels: number, tokenSide: number): number {
  const tokens = pixels / tokenSide;
  const floor = Math.floor(tokens);
  const half = tokens - floor === 0.5;
  const rounded = half ? floor + (floor % 2) : Math.round(tokens);
  return Math.max(1, rounded) * tokenSide;
}
