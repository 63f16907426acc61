// `eval`: how many questions the model answers right, through the engine: about short held-out clips with everything
// in memory, about longer streams under each memory policy and budget, or about the videos of a data set.

import { type Arguments, type Command, UsageError } from '../cli/command';
import { MODEL_OPTIONS, modelFiles } from '../cli/model-files';
import { table } from '../cli/table';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { createSession } from '../src/engine/session';
import { readHeldout, type ScoredAnswer, scoreHeldout, tally } from './heldout';
import {
  DATASET_OPTIONS,
  evaluateDataset,
  evaluateReport,
  evaluateStreams,
  REPORT_OPTIONS,
  STREAM_OPTIONS,
} from './measurements';

/** Where the bundled model's held-out clips lie, seen from the repository. */
export const HELDOUT_FOLDER = 'eval/heldout';

/** Pixels of the largest held-out frame. */
const MAX_RGB_PIXELS = 448 * 448;

const CLIP_OPTIONS = {
  clips: { value: 'N', help: 'Clips: only the first N.' },
  tense: { value: 'TENSE', help: 'Clips: only questions about the present, or about the past.' },
  wrong: { help: 'Clips: print every wrong answer.' },
  ...MODEL_OPTIONS,
};

/** What can be evaluated, with every option that goes with it. */
const MODES = {
  clips: { options: CLIP_OPTIONS, run: evaluateClips },
  streams: { options: STREAM_OPTIONS, run: evaluateStreams },
  dataset: { options: DATASET_OPTIONS, run: evaluateDataset },
  report: { options: REPORT_OPTIONS, run: evaluateReport },
} as const;

export const evalCommand: Command = {
  name: 'eval',
  summary: 'Score the answers to held-out questions, under any memory policy and budget.',
  usage: '[--policies A,B --budgets 1,1/4 … | --dataset FILE --videos DIR | --report FILE] [options]',
  description: `Shows the model what it was never trained on and asks about it. By itself, short clips with everything in
memory: prints right answers by tense and type. With an option of streams: streams, each watched under every
policy and budget; prints accuracy with 95 % confidence intervals as Markdown. With --dataset: the same of a
multiple-choice set's videos. An answer is right only if the whole sentence is, of multiple choice if the letter
is. Reads pictures and videos by ffmpeg. docs/memory.md tells how it is measured.`,
  options: {
    ...STREAM_OPTIONS,
    ...DATASET_OPTIONS,
    ...REPORT_OPTIONS,
    ...CLIP_OPTIONS,
    json: { help: 'Print all answers of clips, else all figures, as JSON in the last line.' },
  },
  run: evaluate,
};

async function evaluate(args: Arguments): Promise<void> {
  const given = Object.keys(evalCommand.options).filter((name) => args.has(name) && name !== 'json');
  const ofStreams = given.some((name) => name in STREAM_OPTIONS && !(name in CLIP_OPTIONS));
  const rest = ofStreams ? 'streams' : 'clips';
  const mode = args.has('report') ? 'report' : args.has('dataset') ? 'dataset' : rest;
  const stray = given.find((name) => !(name in MODES[mode].options));
  if (stray) throw new UsageError(strayOption(stray, mode));
  await MODES[mode].run(args);
}

function strayOption(name: string, mode: keyof typeof MODES): string {
  if (mode === 'report' || mode === 'dataset') return `--${name} does not go with --${mode}.`;
  if (name in DATASET_OPTIONS && !(name in STREAM_OPTIONS)) return `--${name} goes with --dataset FILE.json.`;
  return `--${name} does not go with ${mode}.`;
}

async function evaluateClips(args: Arguments): Promise<void> {
  const tense = args.choice('tense', ['present', 'past'] as const);
  const clips = (await readHeldout(HELDOUT_FOLDER)).slice(0, args.integer('clips', 1));
  const session = await createSession({
    ...(await modelFiles(args)),
    gpu: await openNodeGpu(),
    maxRgbPixels: MAX_RGB_PIXELS,
  });
  try {
    const answers: ScoredAnswer[] = [];
    for await (const answer of scoreHeldout(session, clips, tense)) {
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
