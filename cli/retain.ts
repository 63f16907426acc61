// `retain`: which tokens a retention policy keeps of given keys and values, to compare with other implementations.

import { InvalidInputError } from '../src/engine/errors';
import { openDevice } from '../src/engine/gpu/device';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { POLICIES, POLICY_NAMES } from '../src/engine/memory/policies';
import { npyFloats } from '../src/npy';
import { type Arguments, type Command, UsageError } from './command';
import { readNpy } from './frames';
import { keptTokens, type WholeFrames } from './kept-tokens';
import { POOLING_OPTION, poolingOf } from './retention';
import { count, table } from './table';

/** Magnitudes up to which squares of a row and of a recent mean, and their product, keep their precision. */
const LARGEST = 1e8;

export const retainCommand: Command = {
  name: 'retain',
  summary: 'Which tokens a retention policy keeps of given keys and values.',
  usage: '--policy P --keys F.npy --values F.npy --grid H,W --keep T [--pooling] [--seed N] [--json]',
  description: `Puts keys and values of whole frames into a memory ring on the GPU, in full precision, and prunes it once.
Both arrays are float32 [layers, kvHeads, tokens, headDim]; tokens stand frame by frame, and in a frame row by
row. What each policy keeps is told in docs/architecture.md. Of equal scores the older token stays.

Prints a summary, or with --json, as the last line, the kept tokens of every layer and head, counted from 0,
ascending:
  [[[T tokens of layer 0, head 0], [… of head 1], …], [… of layer 1], …]`,
  options: {
    policy: { value: 'P', help: `${POLICY_NAMES.join(', ')}.` },
    keys: { value: 'FILE.npy', help: 'The keys, as cached.' },
    values: { value: 'FILE.npy', help: 'The values, of the same shape.' },
    grid: { value: 'H,W', help: 'Rows and columns of the tokens of a frame.' },
    keep: {
      value: 'T',
      help: 'How many tokens each layer and head keeps; any number, not only whole frames.',
    },
    pooling: POOLING_OPTION,
    seed: { value: 'N', help: 'Seed of random (0).' },
    json: { help: 'Print the kept tokens as JSON in the last line.' },
  },
  run: retain,
};

async function retain(args: Arguments): Promise<void> {
  args.needed('policy');
  const policy = args.choice('policy', POLICY_NAMES)!;
  const [keysPath, valuesPath] = [args.needed('keys'), args.needed('values')];
  const grid = gridOf(args.needed('grid'));
  args.needed('keep');
  const keep = args.integer('keep', 1)!;
  const pooling = poolingOf(args, policy);
  const seed = args.integer('seed', 0) ?? 0;
  if (seed > 0xffffffff) throw new UsageError(`--seed is ${seed}; it must be below 4294967296.`);

  const frames = await readWholeFrames(keysPath, valuesPath, grid);
  const tokensPerFrame = grid.rows * grid.columns;
  if (keep > frames.tokens) {
    throw new UsageError(
      `--keep is ${keep}, but there are ${frames.tokens} tokens; it must be from 1 to as many.`,
    );
  }
  if (policy === 'full' && keep < frames.tokens) {
    throw new UsageError(`full lets go of nothing, so --keep can only be ${frames.tokens}, all the tokens.`);
  }
  const request = { visualTokens: frames.tokens, tokensPerFrame, keep, pooling };
  const { recentFrames, stages } = POLICIES[policy].plan?.(request) ?? { recentFrames: 0, stages: [] };
  if (recentFrames === 0 && stages.some(({ score }) => score === 'tar')) {
    throw new UsageError(
      `--keep is ${keep}, but ${policy} always keeps a recent frame, and a frame has ${tokensPerFrame} tokens. Keep at least as many.`,
    );
  }
  if (recentFrames > 0 && recentFrames * tokensPerFrame >= keep) {
    console.error(
      `${policy} keeps the newest frames first, and of ${keep} tokens these leave none to choose.`,
    );
  }

  const gpu = await openDevice(await openNodeGpu());
  console.error(`adapter: ${gpu.adapterName}`);
  try {
    const kept = await keptTokens(gpu, frames, { policy, keep, pooling, seed });
    if (args.has('json')) console.log(JSON.stringify(kept));
    else print(kept, frames, policy);
  } finally {
    gpu.device.destroy();
  }
}

function gridOf(text: string): { rows: number; columns: number } {
  const [rows, columns] =
    text
      .match(/^(\d+),(\d+)$/)
      ?.slice(1)
      .map(Number) ?? [];
  if (rows && columns) return { rows, columns };
  throw new UsageError(`--grid is ${text}; give the rows and columns of a frame's tokens, as in 8,8.`);
}

/** @throws InvalidInputError when the files are not two float32 arrays of one shape holding whole frames. */
async function readWholeFrames(
  keysPath: string,
  valuesPath: string,
  grid: { readonly rows: number; readonly columns: number },
): Promise<WholeFrames> {
  const keys = await readArray(keysPath);
  const values = await readArray(valuesPath);
  const [layers, kvHeads, tokens, headDim] = keys.shape as [number, number, number, number];
  if (keys.shape.join() !== values.shape.join()) {
    throw new InvalidInputError(
      `Keys [${keys.shape.join(', ')}] and values [${values.shape.join(', ')}] must have one shape.`,
    );
  }
  const tokensPerFrame = grid.rows * grid.columns;
  if (tokens % tokensPerFrame !== 0) {
    throw new InvalidInputError(
      `${tokens} tokens are no whole number of frames of ${grid.rows} × ${grid.columns}. Check --grid.`,
    );
  }
  return { keys: keys.data, values: values.data, layers, kvHeads, tokens, headDim, ...grid };
}

async function readArray(path: string): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const { array, name } = await readNpy(path);
  const data = npyFloats(array, name);
  if (array.shape.length !== 4 || data.length === 0) {
    throw new InvalidInputError(
      `${name} has the shape [${array.shape.join(', ')}]; it must be [layers, kvHeads, tokens, headDim], none of them 0.`,
    );
  }
  if (!data.every(Number.isFinite)) throw new InvalidInputError(`${name} holds infinities or NaN.`);
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest > LARGEST || (largest > 0 && largest < 1 / LARGEST)) {
    throw new InvalidInputError(
      `${name} has ${largest.toExponential(1)} as its largest number; beyond 1e±8 sums of squares leave single precision. Scale the array.`,
    );
  }
  return { shape: array.shape, data };
}

function print(kept: readonly (readonly (readonly number[])[])[], frames: WholeFrames, policy: string): void {
  const { layers, kvHeads, tokens, rows, columns } = frames;
  const tokensPerFrame = rows * columns;
  const frameCount = tokens / tokensPerFrame;
  console.log(
    `${policy} keeps ${count(kept[0]![0]!.length)} of ${count(tokens)} tokens, ${count(frameCount)} frames of ${rows} × ${columns}, in each of ${layers} layers × ${kvHeads} heads.\n`,
  );
  const lines = kept.flatMap((heads, layer) =>
    heads.map((head, index) => {
      const perFrame = new Array<number>(frameCount).fill(0);
      for (const token of head) perFrame[Math.floor(token / tokensPerFrame)]!++;
      const whole = perFrame.filter((held) => held === tokensPerFrame).length;
      const touched = perFrame.filter((held) => held > 0).length;
      return [layer, index, whole, touched - whole, frameCount - touched, head[0]!, head.at(-1)!].map(String);
    }),
  );
  const head = ['layer', 'head', 'whole frames', 'parts', 'gone', 'oldest token', 'newest'];
  console.log(table(head, lines, 0));
}
