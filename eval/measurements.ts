// What `eval` does beyond short clips: measure streams or a data set under policies and budgets, and report it.

import { access, constants, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Arguments, UsageError } from '../cli/command';
import { MODEL_OPTIONS, type ModelFiles, modelFiles } from '../cli/model-files';
import { POSITION_NAMES } from '../cli/positions';
import { RETENTION_NAMES } from '../cli/retention';
import type { PositionPolicy } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';
import { MIN_FRAMES } from '../src/engine/memory/budget';
import { type Cell, cellsOf, METHODS, type NamedBudget, parseBudget, shard } from './cells';
import { LONGEST_SIDE, readDataset } from './datasets';
import { measure, modelName, type Skipped } from './measure';
import { type PlannedRun, planRuns } from './plan';
import { plot } from './plot';
import { budgetsOf, DEFAULT_SHARES, markdown, scoresOf } from './report';
import { openResults, type Result, readResults, runKey } from './results';
import { readStreams, STREAM_FRAME_SIDE, STREAMS_FOLDER } from './streams';

/** Lengths of the streams that are watched unless others are asked for, in seconds. */
const DEFAULT_LENGTHS = ['8', '16', '32', '64', '128'];

/** Budget for a data set's videos, whose lengths are not known beforehand. */
const DATASET_BUDGET: NamedBudget = { name: '1024' };

/** A session's own. */
const DEFAULT_POSITIONS: PositionPolicy = 'rebased';

/** Options of every measurement. */
const RUN_OPTIONS = {
  policies: { value: 'A,B,…', help: `Only these memory policies, of ${RETENTION_NAMES.join(', ')}.` },
  budgets: {
    value: 'A,B,…',
    help: `Under these budgets: shares of a stream's visual tokens (${namesOf(DEFAULT_SHARES)}), or numbers of tokens.`,
  },
  positions: {
    value: 'A,B',
    help: `With these rotary positions, of ${POSITION_NAMES.join(' and ')} (${DEFAULT_POSITIONS}); they differ beyond the trained range.`,
  },
  shard: {
    value: 'I/N',
    help: 'Only part I of N, to share the work among processes, each with its own --out.',
  },
  out: {
    value: 'FILE',
    help: 'Keep results in FILE, a line a run; what it holds already is not done again.',
  },
};

const PLOT_OPTION = { plot: { value: 'FILE.svg', help: 'Draw the accuracy over the budget.' } };

export const STREAM_OPTIONS = {
  ...RUN_OPTIONS,
  lengths: { value: 'A,B,…', help: `Streams of these lengths in seconds (${DEFAULT_LENGTHS.join(',')}).` },
  streams: { value: 'N', help: 'Only the first N streams of each length.' },
  ...PLOT_OPTION,
  ...MODEL_OPTIONS,
};

export const DATASET_OPTIONS = {
  dataset: { value: 'FILE.json', help: 'A multiple-choice set in the layout of Video-MME or of MLVU.' },
  videos: { value: 'DIR', help: "Where the set's videos lie: video files, or frames as .npy." },
  fps: { value: 'N', help: "Frames a second taken of them; the model card's if left out, else 2." },
  ...RUN_OPTIONS,
  ...PLOT_OPTION,
  ...MODEL_OPTIONS,
};

export const REPORT_OPTIONS = {
  report: { value: 'FILE', help: 'Only report what FILE holds. Again for further shards.', repeatable: true },
  budgets: RUN_OPTIONS.budgets,
  ...PLOT_OPTION,
};

/** Measures policies and budgets on held-out streams. */
export async function evaluateStreams(args: Arguments): Promise<void> {
  const budgets = budgetsGiven(args) ?? DEFAULT_SHARES;
  const cells = cellsGiven(args, budgets);
  const files = await modelFiles(args);
  const { suite, exams } = await readStreams(STREAMS_FOLDER);
  const lengths = args.choices('lengths', [...new Set(exams.map(({ seconds }) => String(seconds)))]);
  const most = args.integer('streams', 1) ?? Number.POSITIVE_INFINITY;
  const chosen = (lengths ?? DEFAULT_LENGTHS).flatMap((length) =>
    exams.filter(({ seconds }) => String(seconds) === length).slice(0, most),
  );
  const runs = planRuns(
    chosen,
    cells,
    files.tokensPerFrame,
    ({ seconds, framesPerSecond }) =>
      // A temporal patch is two frames.
      Math.ceil((seconds * framesPerSecond) / 2) * files.tokensPerFrame,
  );
  const results = await doRuns(args, files, suite, runs, STREAM_FRAME_SIDE);
  await show(args, results, budgets);
}

/** Asks a multiple-choice set about videos on disk. */
export async function evaluateDataset(args: Arguments): Promise<void> {
  const budgets = budgetsGiven(args) ?? [DATASET_BUDGET];
  const share = budgets.find((budget) => budget.share !== undefined);
  if (share) {
    throw new UsageError(
      `--budgets has ${share.name}, but of a video's tokens no share is known beforehand. Give numbers of tokens.`,
    );
  }
  const cells = cellsGiven(args, budgets);
  const files = await modelFiles(args);
  const fps = args.number('fps', 0.001, 1000) ?? files.framesPerSecond;
  const { suite, exams, missing } = await readDataset(args.needed('dataset'), args.needed('videos'), fps);
  const runs = planRuns(exams, cells, files.tokensPerFrame);
  const failed = new Map<string, number>();
  const results = await doRuns(args, files, suite, runs, LONGEST_SIDE, ({ exam }, { message }) => {
    const what = `${exam}: ${message}`;
    failed.set(what, (failed.get(what) ?? 0) + 1);
  });
  const skipped = [...failed].map(([what, times]) => `Skipped: ${times} runs of ${what}`);
  if (missing.length > 0) {
    const unasked = missing.reduce((sum, { questions }) => sum + questions, 0);
    const names = missing.map(({ video }) => video).join(', ');
    skipped.push(`Skipped: ${unasked} questions about ${missing.length} videos that are not there: ${names}`);
  }
  await show(args, results, budgets, skipped);
}

/** Reports files of results. */
export async function evaluateReport(args: Arguments): Promise<void> {
  await checkWritable(args, 'plot');
  const results = await readResults(args.list('report'));
  await show(args, results, budgetsGiven(args) ?? budgetsOf(results));
}

/**
 * Does the runs of this shard that the file of results does not hold yet, telling of each on stderr.
 * @param frameSide pixels of the largest frame's longer side.
 * @param onSkipped as of {@link measure}.
 * @returns the results of all the shard's runs, and whatever else the file holds.
 */
async function doRuns(
  args: Arguments,
  files: ModelFiles,
  suite: string,
  runs: readonly PlannedRun[],
  frameSide: number,
  onSkipped?: Skipped,
): Promise<readonly Result[]> {
  const least = MIN_FRAMES * files.tokensPerFrame;
  const small = runs.find(({ run }) => run.budget < least);
  if (small)
    throw new UsageError(
      `--budgets has ${small.run.budget}, but memory holds two frames at least, ${least} tokens.`,
    );
  const setting = { suite, model: await modelName(files) };
  await checkWritable(args, 'out');
  await checkWritable(args, 'plot');
  const out = args.text('out');
  const file = out === undefined ? undefined : await openResults(out, setting);
  const results = [...(file?.results ?? [])];
  const done = new Set(results.map(runKey));
  const part = shard(runs, shardGiven(args));
  const left = part.filter(({ run }) => !done.has(runKey(run)));
  if (left.length < part.length)
    console.error(`${part.length - left.length} of ${part.length} runs were done before`);
  let count = 0;
  const skip: Skipped | undefined =
    onSkipped &&
    ((run, error) => {
      console.error(`${++count}/${left.length} ${runKey(run)}: skipped. ${error.message}`);
      onSkipped(run, error);
    });
  for await (const result of measure(files, setting, left, frameSide ** 2, skip)) {
    await file?.append(result);
    results.push(result);
    const right = result.answers.filter((answer) => answer.right).length;
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    console.error(
      `${++count}/${left.length} ${runKey(result)}: ${right} of ${result.answers.length} right; ${result.pairs} pairs in ${seconds(result.watchMs)} s, answers in ${seconds(result.askMs)} s`,
    );
  }
  return results;
}

/** @param notes printed below the figures. */
async function show(
  args: Arguments,
  results: readonly Result[],
  budgets: readonly NamedBudget[],
  notes: readonly string[] = [],
): Promise<void> {
  const scores = scoresOf(results, budgets);
  if (scores.length > 0) console.log(markdown(scores));
  for (const note of notes) console.log(`\n${note}`);
  if (scores.length === 0) {
    throw new InvalidInputError(`There is no result under the budgets ${namesOf(budgets)} to report.`);
  }
  const path = args.text('plot');
  if (path !== undefined) await writeFile(path, plot(scores));
  if (args.has('json')) console.log(JSON.stringify(scores));
}

/** Before anything is measured, so that nothing is lost by it. @throws UsageError when a file cannot be written. */
async function checkWritable(args: Arguments, option: 'out' | 'plot'): Promise<void> {
  const path = args.text(option);
  if (path === undefined) return;
  await access(dirname(path), constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`--${option} is ${path}, but its folder cannot be written to (${cause.code}).`);
  });
}

function budgetsGiven(args: Arguments): NamedBudget[] | undefined {
  return args.items('budgets')?.map((text) => {
    const budget = parseBudget(text);
    if (budget) return budget;
    throw new UsageError(`--budgets has '${text}'; give shares such as 1 or 1/4, or numbers of tokens.`);
  });
}

/** @throws UsageError when nothing is left to measure. */
function cellsGiven(args: Arguments, budgets: readonly NamedBudget[]): Cell[] {
  const chosen = args.choices('policies', RETENTION_NAMES) ?? RETENTION_NAMES;
  const placed = args.choices('positions', POSITION_NAMES) ?? [DEFAULT_POSITIONS];
  const cells = cellsOf(
    METHODS.filter(({ retention, positions }) => chosen.includes(retention) && placed.includes(positions)),
    budgets,
  );
  if (cells.length > 0) return cells;
  throw new UsageError(
    `'full' lets go of nothing, so it has no result with less than everything. Add ${args.has('dataset') ? '' : 'the budget 1, or '}policies.`,
  );
}

function shardGiven(args: Arguments): { index: number; of: number } {
  const text = args.text('shard') ?? '1/1';
  const [index, of] =
    text
      .match(/^(\d+)\/(\d+)$/)
      ?.slice(1)
      .map(Number) ?? [];
  if (index && of && index <= of) return { index, of };
  throw new UsageError(`--shard is ${text}; give a part and the number of parts, as in 2/4.`);
}

function namesOf(budgets: readonly NamedBudget[]): string {
  return budgets.map(({ name }) => name).join(',');
}
