// Whole prompts at once, as transformers' processor lays them out: token ids in which every visual token is an
// image or video pad. For comparing with other engines; a session streams instead (`session.ts`).

import type { RgbFrame, Sampling } from './contract';
import { STEPS_IN_FLIGHT } from './decoder/buffers';
import { frameShape, textPositions } from './decoder/rotary';
import { InvalidInputError } from './errors';
import { submit } from './gpu/program';
import { Positions } from './memory/positions';
import { StreamClock } from './memory/stream-clock';
import type { Model } from './model';

/** An image or video: its temporal patches, and its rows and columns of visual tokens. */
export interface VisualRun {
  readonly kind: 'image' | 'video';
  readonly time: number;
  readonly rows: number;
  readonly columns: number;
  /** From one temporal patch to the next; 1 if left out, as at two frames a second. */
  readonly secondsPerPatch?: number;
}

/** A run of the prompt: text, or the visual tokens of one image or video. */
export type PromptRun = { readonly kind: 'text'; readonly ids: readonly number[] } | VisualRun;

/** The prompt's next token, and the position it takes. */
export interface PromptEnd {
  readonly firstId: number;
  readonly nextPosition: number;
}

/**
 * Leaves the embeddings of a temporal patch in the decoder's input: by queue writes, by what it returns to be
 * recorded ahead of the block, or both.
 * @param visual which image or video of the prompt.
 */
export type See = (visual: number, time: number) => (pass: GPUComputePassEncoder) => void;

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0, maxTokens: 0 };

/**
 * Splits a prompt of frames that all have one size into runs.
 * @param ended whether one more pad ends every picture and video; it stays a token.
 * @throws InvalidInputError when a run of pads is no whole number of frames.
 */
export function promptRuns(
  ids: readonly number[],
  pads: { readonly image: number; readonly video: number },
  { tokenRows, tokenCols }: { readonly tokenRows: number; readonly tokenCols: number },
  ended = false,
): PromptRun[] {
  const frameTokens = tokenRows * tokenCols;
  const kindOf = (id: number) => (id === pads.image ? 'image' : id === pads.video ? 'video' : 'text');
  const runs: PromptRun[] = [];
  for (let start = 0; start < ids.length; ) {
    const kind = kindOf(ids[start]!);
    let end = start + 1;
    while (end < ids.length && kindOf(ids[end]!) === kind) end++;
    if (kind === 'text') {
      runs.push({ kind, ids: ids.slice(start, end) });
    } else {
      // Where each picture has an end, they may stand side by side.
      if (ended && kind === 'image') end = Math.min(end, start + frameTokens + 1);
      const last = ended ? end - 1 : end;
      const time = (last - start) / frameTokens;
      if (!Number.isInteger(time) || time < 1 || (kind === 'image' && time !== 1)) {
        throw new InvalidInputError(
          `The prompt has ${end - start} ${kind} pads in a row, but a frame of this size makes ${frameTokens} visual tokens${ended ? ', and one more pad ends a picture or video' : ''}.`,
        );
      }
      runs.push({ kind, time, rows: tokenRows, columns: tokenCols });
      if (ended) runs.push({ kind: 'text', ids: ids.slice(last, end) });
    }
    start = end;
  }
  return runs;
}

/**
 * Gives a prompt's visual runs their frames in order: an image takes one frame, a video as many as its temporal patches
 * have, and the last frame of all is repeated where a second is missing.
 * @throws InvalidInputError when the frames do not suffice, or some are left over.
 */
export function seeFrames(model: Model, runs: readonly PromptRun[], frames: readonly RgbFrame[]): See {
  const { framesPerPatch } = model.grid;
  const starts: number[] = [];
  let needed = 0;
  for (const run of runs) {
    if (run.kind === 'text') continue;
    starts.push(needed);
    needed += run.kind === 'image' ? 1 : framesPerPatch * run.time;
  }
  const odd = runs.findLast(({ kind }) => kind !== 'text')?.kind === 'video' ? framesPerPatch - 1 : 0;
  if (frames.length > needed || frames.length < needed - odd) {
    throw new InvalidInputError(`The prompt has pads for ${needed} frames, but ${frames.length} were given.`);
  }
  const visuals = runs.filter(({ kind }) => kind !== 'text');
  return (visual, time) => {
    const image = visuals[visual]!.kind === 'image';
    const first = starts[visual]! + (image ? 0 : framesPerPatch * time);
    model.frames.write(0, 'all', frames[first]!);
    const second = image || framesPerPatch === 1 ? undefined : frames[first + 1];
    if (second) model.frames.write(0, 1, second);
    return (pass) => model.encoder.record(pass, 0);
  };
}

/**
 * Runs a prompt from an empty ring and samples its next token greedily; the logits stay in `decoder.logits`.
 * Everything is pinned: nothing of a prompt is ever pruned.
 */
export async function runPrompt(model: Model, runs: readonly PromptRun[], see: See): Promise<PromptEnd> {
  const { decoder, ring, gpu } = model;
  const positions = new Positions(model.trainedPositions);
  const clock = new StreamClock(model.video.positionsPerSecond, model.frameShape.duration);
  const blocks = [...promptBlocks(runs, decoder.blockTokens)];
  ring.reset();
  let firstId = -1;
  for (const [index, block] of blocks.entries()) {
    const { ids, visual } = block;
    const before = visual && see(visual.index, visual.time);
    const final = index === blocks.length - 1;
    const tokens = ids ? ids.length : visual.run.rows * visual.run.columns;
    const place = ring.allocate('pinned', tokens);
    if (visual?.time === 0) {
      const { rows, columns } = visual.run;
      positions.openVideo(place.firstSeq, frameShape(decoder.hyper, rows, columns));
      clock.openVideo();
    }
    const record = decoder.prefill({
      ids,
      positions: ids
        ? positions.text(place.firstSeq, tokens)
        : positions.frame(clock.frame(frameTimestamp(visual), Number.POSITIVE_INFINITY)),
      place,
      choice: final ? { sampling: GREEDY, draw: 0 } : undefined,
    });
    const both = (pass: GPUComputePassEncoder) => {
      before?.(pass);
      record(pass);
    };
    if (final) firstId = await decoder.submitSampled('prompt', both);
    else submit(gpu.device, 'prompt', both);
  }
  return { firstId, nextPosition: positions.next };
}

function frameTimestamp({ run, time }: { readonly run: VisualRun; readonly time: number }): number {
  return 1000 * time * (run.secondsPerPatch ?? 1);
}

/** Text, or a temporal patch of the image or video with that index. */
type PromptBlock =
  | { readonly ids: readonly number[]; readonly visual?: undefined }
  | {
      readonly ids?: undefined;
      readonly visual: { readonly run: VisualRun; readonly index: number; readonly time: number };
    };

/** Blocks of at most `blockTokens`. */
function* promptBlocks(runs: readonly PromptRun[], blockTokens: number): Generator<PromptBlock> {
  let index = 0;
  for (const run of runs) {
    if (run.kind === 'text') {
      for (let at = 0; at < run.ids.length; at += blockTokens) {
        yield { ids: run.ids.slice(at, at + blockTokens) };
      }
    } else {
      for (let time = 0; time < run.time; time++) yield { visual: { run, index, time } };
      index++;
    }
  }
}

/**
 * Goes on greedily after {@link runPrompt}, never stopping at an end token.
 * @returns `count` ids, the prompt's own next token first.
 */
export async function continueGreedily(
  { decoder, ring }: Model,
  { firstId, nextPosition }: PromptEnd,
  count: number,
): Promise<number[]> {
  const ids = [firstId];
  const pending: Promise<number>[] = [];
  for (let step = 0; ids.length < count; ) {
    if (step + 1 < count && pending.length < STEPS_IN_FLIGHT) {
      const [position] = textPositions(nextPosition + step, 1);
      pending.push(decoder.decode(position!, ring.allocate('pinned', 1), { sampling: GREEDY, draw: 0 }));
      step++;
    } else {
      ids.push(await pending.shift()!);
    }
  }
  return ids;
}
