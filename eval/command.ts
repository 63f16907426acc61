// `eval`: how many questions about held-out clips the model answers right, through the engine.

import type { Arguments, Command } from '../cli/command';
import { MODEL_OPTIONS, modelFiles } from '../cli/model-files';
import { table } from '../cli/table';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { readHeldout, type ScoredAnswer, scoreHeldout, tally } from './heldout';

/** Where the bundled model's held-out clips lie, seen from the repository. */
export const HELDOUT_FOLDER = 'eval/heldout';

/** Pixels of the largest held-out frame. */
const MAX_RGB_PIXELS = 448 * 448;

export const evalCommand: Command = {
  name: 'eval',
  summary: 'Score the answers to held-out questions.',
  usage: '[--model F --mmproj F] [--clips N] [--tense present|past] [--wrong] [--json]',
  description: `Shows the model held-out clips it was never trained on and asks about them. An answer is right only if the
whole sentence is. Prints right answers by tense and type; needs ffmpeg to read the clips.`,
  options: {
    ...MODEL_OPTIONS,
    clips: { value: 'N', help: 'Only the first N clips.' },
    tense: { value: 'TENSE', help: 'Only questions about the present, or about the past.' },
    wrong: { help: 'Print every wrong answer.' },
    json: { help: 'Print all answers as JSON in the last line.' },
  },
  run: evaluate,
};

async function evaluate(args: Arguments): Promise<void> {
  const tense = args.choice('tense', ['present', 'past'] as const);
  const clips = (await readHeldout(HELDOUT_FOLDER)).slice(0, args.integer('clips', 1));
  const session = await createSession({
    ...(await modelFiles(args)),
    gpu: await openNodeGpu(),
    maxRgbPixels: MAX_RGB_PIXELS,
  });
  try {
    const answers: ScoredAnswer[] = [];
    for await (const answer of scoreHeldout(session, HELDOUT_FOLDER, clips, tense)) {
      answers.push(answer);
      if (args.has('wrong') && !answer.right) {
        console.log(
          `${answer.clip} ${answer.type}: ${answer.question} ${answer.answer} [${answer.accepted[0]}]`,
        );
      }
    }
    const rows = tally(answers).map(({ name, right, asked }) => [
      name,
      String(right),
      String(asked),
      ((100 * right) / asked).toFixed(1),
    ]);
    console.log(table(['', 'right', 'asked', '%'], rows, 1));
    if (args.has('json')) console.log(JSON.stringify(answers));
  } finally {
    session.dispose();
  }
}
