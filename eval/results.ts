// Files of results: JSON, a line for each exam sat in one cell. A file only grows, so that a
// measurement can be stopped at any time and goes on where it was.

import { appendFile, readFile, truncate } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ModelFiles } from '../cli/model-files';
import { InvalidInputError } from '../src/engine/errors';
import type { Sitting } from './exam';

/** What was sat, and by whom. */
export interface Setting {
  /** The questions and what they are about, with a fingerprint: results of different ones cannot be compared. */
  readonly suite: string;
  /** The model and how it is fed; see {@link nameModel}. */
  readonly model: string;
}

/**
 * Names a model, as it is fed, for a {@link Setting}.
 * @param fingerprint of its files.
 * @param fed the size in pixels that it sees, and the rotary positions it was trained on where its card has them.
 */
export function nameModel(
  fingerprint: string,
  { frame, trainedPositions }: Pick<ModelFiles, 'frame' | 'trainedPositions'>,
): string {
  return `${fingerprint} ${frame.width}x${frame.height} ${trainedPositions ?? 'all'} positions`;
}

/** A run: an exam in one cell. */
export interface Run {
  readonly exam: string;
  readonly group: string;
  /** Name of the method: how memory and positions are kept. */
  readonly method: string;
  /** Most visual tokens held. */
  readonly budget: number;
  /** Visual tokens of all the frames, where that is known beforehand: what shares are shares of. */
  readonly whole?: number;
  readonly tokensPerFrame: number;
}

export interface Result extends Setting, Run, Sitting {}

/** What tells runs apart within a setting. */
export function runKey({ exam, method, budget }: Run): string {
  return [exam, method, budget].join(' ');
}

/**
 * Reads files of results as one.
 * @throws InvalidInputError when one cannot be read or is damaged, when they are of different settings, or hold the same run twice.
 */
export async function readResults(paths: readonly string[]): Promise<Result[]> {
  const all: Result[] = [];
  const seen = new Map<string, string>();
  for (const path of paths) {
    const name = basename(path);
    for (const result of (await parseFile(path)).results) {
      if (all[0]) checkSetting(result, all[0], name);
      const other = seen.get(runKey(result));
      if (other) {
        throw new InvalidInputError(
          `${name} and ${other} both hold ${runKey(result)}. Give each run once, as the shards of one measurement do.`,
        );
      }
      seen.set(runKey(result), name);
      all.push(result);
    }
  }
  return all;
}

/** A file of results that grows. */
export interface ResultFile {
  /** What it holds so far. */
  readonly results: Result[];
  append(result: Result): Promise<void>;
}

/**
 * Opens a file of results to go on with, or a new one. A last line that was cut short is taken away.
 * @throws InvalidInputError when it is damaged, or holds results of another setting.
 */
export async function openResults(path: string, setting: Setting): Promise<ResultFile> {
  const { results, bytes, cut } = await parseFile(path, true);
  for (const result of results) checkSetting(result, setting, basename(path));
  if (cut) await truncate(path, bytes);
  return {
    results,
    async append(result) {
      await appendFile(path, `${JSON.stringify(result)}\n`);
      results.push(result);
    },
  };
}

/** The results of a file, how many bytes their lines take, and whether an unfinished line follows them. */
async function parseFile(
  path: string,
  mayBeNew = false,
): Promise<{ results: Result[]; bytes: number; cut: boolean }> {
  const name = basename(path);
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (mayBeNew && cause.code === 'ENOENT') return '';
    throw new InvalidInputError(`${name} cannot be read at ${path}. Check the path.`, { cause });
  });
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const results = whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => parseLine(line, `${name}, line ${i + 1}`));
  return { results, bytes: Buffer.byteLength(whole), cut: whole.length < text.length };
}

function parseLine(line: string, where: string): Result {
  try {
    const result = JSON.parse(line) as Result;
    if (Array.isArray(result.answers)) return result;
  } catch {
    // Said below, as of a line that is JSON but no result.
  }
  throw new InvalidInputError(`${where} is no result of eval. Take the line away, or measure anew.`);
}

function checkSetting(result: Setting, wanted: Setting, name: string): void {
  if (result.model !== wanted.model) {
    throw new InvalidInputError(
      `${name} holds results of another model, or of one fed otherwise: ${result.model}, not ${wanted.model}. Choose another file.`,
    );
  }
  if (result.suite !== wanted.suite) {
    throw new InvalidInputError(
      `${name} holds answers to other questions, or about videos taken otherwise: ${result.suite}, not ${wanted.suite}. Choose another file.`,
    );
  }
}
