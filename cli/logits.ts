// `logits`: one prompt through the engine as another engine would run it, for numerical comparison.

import { nodeFileSource } from '../src/engine/gguf/node-file';
import { openDevice } from '../src/engine/gpu/device';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { loadModel, type Model } from '../src/engine/model';
import { continueGreedily, promptRuns, runPrompt, seeFrames } from '../src/engine/prompt';
import { type Arguments, type Command, UsageError } from './command';
import { nearestSide, readFrames } from './frames';
import { readVision } from './model-files';
import { readFloats } from './read-back';
import { table } from './table';

export const logitsCommand: Command = {
  name: 'logits',
  summary: 'Logits and greedy tokens of a prompt, to compare with other engines.',
  usage:
    '--model F --mmproj F [--frames F.npy] --prompt-ids 1,2,… --tokens N [--precision P] [--still] [--json]',
  description: `Runs a prompt given as token ids, laid out as transformers' processor does: one <|image_pad|> or
<|video_pad|> (in SmolVLM2 <image>) for each visual token. An image takes one frame, a video two for each temporal patch,
two a second (in SmolVLM2 it is a row of images); the last frame is repeated where one is missing. In LLaVA-OneVision a
video takes one frame for as many <video> as it has visual tokens, and one more pad ends each video and <image>. Frames
whose sides are no whole visual tokens are cropped to the nearest such sides' aspect and resized to them.

Prints the ten likeliest next tokens and the greedy continuation, or with --json, as the last line,
  {"logits": [one for each token of the vocabulary], "ids": [N ids, the prompt's own next token first]}`,
  options: {
    model: { value: 'FILE.gguf', help: 'The decoder.' },
    mmproj: { value: 'FILE.gguf', help: 'The vision encoder that belongs to it.' },
    frames: {
      value: 'FILE.npy',
      help: 'uint8 [frames, height, width, 3]. Not needed for a prompt of text only.',
    },
    'prompt-ids': { value: 'IDS', help: 'Token ids of the prompt, separated by commas.' },
    tokens: { value: 'N', help: 'Greedy tokens to continue with; end tokens do not stop them.' },
    precision: {
      value: 'f32|f16',
      help: 'f32 (the default) computes and caches in full precision. f16 is how sessions run: keys and values in half precision, and products too where the device can.',
    },
    still: {
      help: "The prompt has images and no video: LLaVA-OneVision sees them finer than a video's frames.",
    },
    json: { help: 'Print logits and ids as JSON.' },
  },
  run: logits,
};

async function logits(args: Arguments): Promise<void> {
  const [modelPath, mmprojPath] = [args.needed('model'), args.needed('mmproj')];
  const ids = promptIds(args.needed('prompt-ids'));
  args.needed('tokens');
  const tokens = args.integer('tokens', 1)!;
  const precision = args.choice('precision', ['f32', 'f16']) ?? 'f32';
  const framesPath = args.text('frames');

  const frames = framesPath === undefined ? [] : await readFrames(framesPath);
  const files = { model: await nodeFileSource(modelPath), mmproj: await nodeFileSource(mmprojPath) };
  const { patchSize, mergeSize } = await readVision(files.mmproj);
  const side = patchSize * mergeSize;
  // Text sees no frame, but the engine is built for some size.
  const { width, height } = frames[0] ?? { width: 2 * side, height: 2 * side };
  const frame = { width: nearestSide(width, side), height: nearestSide(height, side) };
  const gpu = await openDevice(await openNodeGpu());
  console.error(`adapter: ${gpu.adapterName}`);
  const model = await loadModel(gpu, {
    ...files,
    frame,
    visualTokens: (2 * frame.width * frame.height) / side ** 2,
    textTokens: ids.length + tokens,
    maxRgbPixels: width * height,
    precision,
    still: args.has('still'),
  });
  try {
    const pads = padIds(model, ids, framesPath !== undefined);
    const runs = promptRuns(ids, pads, model.grid, model.video.ended);
    const end = await runPrompt(model, runs, seeFrames(model, runs, frames));
    const values = await readFloats(gpu.device, model.ledger.get('decoder.logits'));
    if (!values.every(Number.isFinite)) throw new Error('The logits hold infinities or NaN.');
    const greedy = await continueGreedily(model, end, tokens);
    if (args.has('json')) console.log(JSON.stringify({ logits: [...values], ids: greedy }));
    else print(model, values, greedy);
  } finally {
    model.dispose();
  }
}

function promptIds(text: string): number[] {
  const ids = text.split(',').map((word) => (/^\s*\d+\s*$/.test(word) ? Number(word) : Number.NaN));
  const wrong = ids.findIndex((id) => !Number.isSafeInteger(id));
  if (wrong >= 0) {
    throw new UsageError(
      `--prompt-ids holds '${text.split(',')[wrong]}'; give token ids separated by commas, as in 1,2,3.`,
    );
  }
  return ids;
}

/** Ids of the pads, after checking that the prompt fits the vocabulary and the frames. */
function padIds(
  { tokenizer, decoder, video }: Model,
  ids: readonly number[],
  withFrames: boolean,
): { image: number; video: number } {
  const { vocab } = decoder.hyper;
  const outside = ids.find((id) => id >= vocab);
  if (outside !== undefined) {
    throw new UsageError(`--prompt-ids holds ${outside}, but the vocabulary ends at ${vocab - 1}.`);
  }
  const pads = { image: tokenizer.idOf(video.pads.image), video: tokenizer.idOf(video.pads.video) };
  if (!withFrames && ids.some((id) => id === pads.image || id === pads.video)) {
    throw new UsageError(
      'The prompt has image or video pads, but there are no frames. Give --frames FILE.npy.',
    );
  }
  return pads;
}

function print({ tokenizer }: Model, values: Float32Array, greedy: readonly number[]): void {
  const quoted = (id: number) => JSON.stringify(tokenizer.decode([id]));
  const likeliest = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b).slice(0, 10);
  const rows = likeliest.map((id) => [quoted(id), String(id), values[id]!.toFixed(4)]);
  console.log(`Next token:\n${table(['token', 'id', 'logit'], rows, 1)}`);
  console.log(`\nGreedy ids:  ${greedy.join(',')}\nGreedy text: ${JSON.stringify(tokenizer.decode(greedy))}`);
}
