// Frames of a video file, decoded by ffmpeg in a process of its own as a stream of PPM pictures, which carry
// their size with them. Only as many frames are in memory as have not been taken yet.

import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RgbFrame } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';

/** `P6`, width, height and the largest value, each ended by one white space; no comments, as ffmpeg writes it. */
const PPM_HEADER = /^P6\s(\d+)\s(\d+)\s255\s/;
const MAX_HEADER_BYTES = 32;

/**
 * Frames of a video at `fps` frames a second.
 * @param longestSide pixels of the longer side beyond which frames are scaled down; their own size if left out.
 * @throws InvalidInputError when there is no such file, no ffmpeg, or ffmpeg cannot read the file.
 */
export async function* videoFrames(
  path: string,
  fps: number,
  longestSide?: number,
): AsyncGenerator<RgbFrame, void> {
  const name = basename(path);
  await stat(path).catch((cause: unknown) => {
    throw new InvalidInputError(`${name} was not found at ${path}. Check the path.`, { cause });
  });
  const input = ['-v', 'error', '-nostdin', '-i', path];
  const filters = [`fps=${fps}`];
  if (longestSide) {
    const size = `w='min(${longestSide},iw)':h='min(${longestSide},ih)'`;
    filters.push(`scale=${size}:force_original_aspect_ratio=decrease`);
  }
  const picture = ['-c:v', 'ppm', '-pix_fmt', 'rgb24'];
  const output = ['-an', '-vf', filters.join(','), ...picture, '-f', 'image2pipe', 'pipe:1'];
  const ffmpeg = spawn('ffmpeg', [...input, ...output], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  ffmpeg.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  // Listened for from the start: either event may come while the frames are read.
  const ended = new Promise<Error | number | null>((resolve) => {
    ffmpeg.once('error', resolve);
    ffmpeg.once('close', resolve);
  });
  try {
    yield* ppmPictures(ffmpeg.stdout);
    const end = await ended;
    if (end instanceof Error) {
      throw new InvalidInputError(
        'ffmpeg, which reads video files here, was not found. Install it (Debian: apt-get install ffmpeg), or give the frames as --frames FILE.npy.',
        { cause: end },
      );
    }
    if (end !== 0) {
      const reason = complaint.trim().split('\n').at(-1) || `it ended with code ${end}`;
      throw new InvalidInputError(`ffmpeg could not read ${name}: ${reason}`);
    }
  } finally {
    ffmpeg.kill();
  }
}

/** Cuts a stream of PPM pictures into frames. @throws InvalidInputError when it is none, or ends within one. */
export async function* ppmPictures(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<RgbFrame, void> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let header = { width: 0, height: 0, bytes: 0 };
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    while (held >= Math.max(MAX_HEADER_BYTES, pictureBytes(header))) {
      const all = Buffer.concat(parts);
      if (header.bytes === 0) {
        header = readHeader(all);
        parts = [all];
        if (held < pictureBytes(header)) break;
      }
      const { width, height } = header;
      yield { width, height, data: all.subarray(header.bytes, pictureBytes(header)) };
      parts = [all.subarray(pictureBytes(header))];
      held -= pictureBytes(header);
      header = { width: 0, height: 0, bytes: 0 };
    }
  }
  if (held > 0) throw new InvalidInputError('The stream of frames ended within a frame.');
}

function pictureBytes({ width, height, bytes }: { width: number; height: number; bytes: number }): number {
  return bytes + width * height * 3;
}

function readHeader(bytes: Buffer): { width: number; height: number; bytes: number } {
  const match = bytes.toString('latin1', 0, MAX_HEADER_BYTES).match(PPM_HEADER);
  if (!match) throw new InvalidInputError('The stream of frames is no PPM.');
  return { width: Number(match[1]), height: Number(match[2]), bytes: match[0].length };
}
