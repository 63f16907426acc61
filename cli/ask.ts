// `ask`: watches a video file or an array of frames, then asks about it, several turns if wanted.

import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RgbFrame, Sampling, Session } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';
import { openModelFile } from '../src/engine/gguf/model-file';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { POLICY_NAMES } from '../src/engine/memory/policies';
import { bytesPerToken } from '../src/engine/memory/ring-shape';
import { decoderFamilyOf } from '../src/engine/models';
import { readDecoderHyper } from '../src/engine/models/decoder-file';
import { createSession } from '../src/engine/session';
import { type Arguments, type Command, UsageError } from './command';
import { readFrames } from './frames';
import { MODEL_OPTIONS, type ModelFiles, modelFiles } from './model-files';
import { POSITIONS_OPTION, positionsOf } from './positions';
import { POOLING_OPTION, poolingOf, TAR_KEYS_OPTION, tarKeysOf } from './retention';
import { videoFrames } from './video';

export const askCommand: Command = {
  name: 'ask',
  summary: 'Watch a video, then ask about it.',
  usage: '--video FILE | --frames FILE.npy  --question "…" [--question "…" …] [options]',
  description: `Watches the frames of a video with their times, then asks the questions, in order, as one
conversation. Answers stream to stdout. What is saved afterwards can be restored by a later call, with the same
model and budget, which then needs no video, or watches another part of it. With --json the last line is
  {"answers": [one text for each question], "memory": {what memory holds then}}`,
  options: {
    video: { value: 'FILE', help: 'A video file; read by ffmpeg, which must be installed.' },
    frames: { value: 'FILE.npy', help: 'Or frames: uint8 [frames, height, width, 3].' },
    fps: {
      value: 'N',
      help: "Frames a second taken of the video, or of the array; the model card's if left out, else 2.",
    },
    question: { value: 'TEXT', help: 'A question. Give it again for a further turn.', repeatable: true },
    restore: { value: 'FILE', help: 'Begin with the memory and conversation saved in a file.' },
    save: { value: 'FILE', help: 'Save memory and conversation to a file at the end.' },
    ...MODEL_OPTIONS,
    'budget-tokens': { value: 'N', help: 'Visual tokens that memory may hold (1024).' },
    'budget-bytes': { value: 'N', help: 'The same in bytes of keys and values.' },
    policy: {
      value: 'NAME',
      help: `What stays when memory is full: ${POLICY_NAMES.join(', ')} (infinipot-v).`,
    },
    pooling: POOLING_OPTION,
    'tar-keys': TAR_KEYS_OPTION,
    positions: POSITIONS_OPTION,
    temperature: { value: 'T', help: 'Randomness of the answer; 0 always takes the likeliest token (0).' },
    'top-k': { value: 'K', help: 'Chooses among the K likeliest tokens; 0 among all (0).' },
    'top-p': { value: 'P', help: 'Chooses among the likeliest tokens of total probability P (1).' },
    seed: { value: 'N', help: 'Seed of the choice (0).' },
    'max-tokens': { value: 'N', help: 'Longest answer, in tokens (128).' },
    json: { help: 'Print answers and memory as JSON in the last line.' },
  },
  run: ask,
};

async function ask(args: Arguments): Promise<void> {
  const questions = args.list('question');
  const saveTo = args.text('save');
  if (questions.length === 0 && saveTo === undefined) throw new UsageError('--question is missing.');
  if (questions.some((question) => !question.trim())) throw new UsageError('--question is empty.');
  const given = Number(args.has('video')) + Number(args.has('frames'));
  if (given > 1 || (given === 0 && !args.has('restore'))) {
    throw new UsageError(
      'Give the video as either --video FILE or --frames FILE.npy; with --restore FILE it may be left out.',
    );
  }
  const sampling = samplingOf(args);
  const policy = args.choice('policy', POLICY_NAMES);
  const pooling = poolingOf(args, policy);
  const tarKeys = tarKeysOf(args, policy);
  const positions = positionsOf(args);
  const fps = args.number('fps', 0.001, 1000);
  const budget = budgetOf(args);
  const files = await modelFiles(args);
  const saved = await savedMemory(args.text('restore'));

  const frames = given > 0 ? framesOf(args, fps ?? files.framesPerSecond) : undefined;
  const first = await frames?.next();
  if (first?.done) throw new InvalidInputError('The video has no frames.');
  const { width, height } = first?.value ?? files.frame;
  const tokens = await budgetTokens(files, budget);
  const session = await createSession({
    ...files,
    gpu: await openNodeGpu(),
    maxRgbPixels: width * height,
    memory: {
      policy,
      pooling,
      tarKeys,
      positions,
      capacityTokens: tokens,
      budget: tokens === undefined ? undefined : { tokens },
    },
  });
  try {
    if (saved) {
      await session.restore(saved);
      session.configure({ policy, tarKeys, positions, pooling: pooling || undefined });
    }
    if (frames && first) await watch(session, first.value, frames, fps ?? files.framesPerSecond);
    const answers: string[] = [];
    for (const question of questions) answers.push(await answer(session, question, sampling));
    if (saveTo !== undefined) await saveMemory(session, saveTo);
    if (args.has('json')) console.log(JSON.stringify({ answers, memory: session.memory() }));
  } finally {
    session.dispose();
  }
}

/** @throws InvalidInputError when there is no such file. */
async function savedMemory(path: string | undefined): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InvalidInputError(`${basename(path)} cannot be read at ${path}. Check the path.`, { cause });
  });
  return new Uint8Array(bytes);
}

/** @throws InvalidInputError when the file cannot be written. */
async function saveMemory(session: Session, path: string): Promise<void> {
  const bytes = await session.save();
  await writeFile(path, bytes).catch((cause: unknown) => {
    throw new InvalidInputError(`${basename(path)} cannot be written at ${path}. Check the path.`, { cause });
  });
  console.error(`saved ${(bytes.length / 2 ** 20).toFixed(1)} MiB of memory`);
}

async function* framesOf(args: Arguments, fps: number): AsyncGenerator<RgbFrame, void> {
  const video = args.text('video');
  if (video !== undefined) yield* videoFrames(video, fps);
  else yield* await readFrames(args.needed('frames'));
}

/** Feeds every frame at the engine's own pace. */
async function watch(
  session: Session,
  first: RgbFrame,
  rest: AsyncIterable<RgbFrame>,
  fps: number,
): Promise<void> {
  let count = 1;
  await session.watch(first, 0);
  for await (const frame of rest) await session.watch(frame, (count++ * 1000) / fps);
  await session.flush();
  const { visualTokens, prunes } = session.memory();
  console.error(`watched ${count} frames; memory holds ${visualTokens} visual tokens after ${prunes} prunes`);
}

async function answer(session: Session, question: string, sampling: Partial<Sampling>): Promise<string> {
  process.stdout.write(`> ${question}\n`);
  let text = '';
  for await (const piece of session.ask(question, { sampling })) {
    process.stdout.write(piece);
    text += piece;
  }
  process.stdout.write('\n');
  return text;
}

function samplingOf(args: Arguments): Partial<Sampling> {
  const given = {
    temperature: args.number('temperature', 0),
    topK: args.integer('top-k', 0),
    topP: args.number('top-p', 0, 1),
    seed: args.integer('seed', 0),
    maxTokens: args.integer('max-tokens', 1),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function budgetOf(args: Arguments): { tokens?: number; bytes?: number } {
  const budget = { tokens: args.integer('budget-tokens', 1), bytes: args.integer('budget-bytes', 1) };
  if (budget.tokens === undefined || budget.bytes === undefined) return budget;
  throw new UsageError('Give the budget as either --budget-tokens or --budget-bytes.');
}

/** The budget in tokens; undefined for the session's own. */
async function budgetTokens(
  { model }: ModelFiles,
  { tokens, bytes }: { tokens?: number; bytes?: number },
): Promise<number | undefined> {
  if (bytes === undefined) return tokens;
  const file = await openModelFile(model);
  const hyper = readDecoderHyper(file, decoderFamilyOf(file).decoder);
  return Math.floor(bytes / bytesPerToken({ ...hyper, kvFormat: 'f16' }));
}
