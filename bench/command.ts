// `bench`: how fast and how large a model is on this machine, stage by stage or kernel by kernel.

import { type Arguments, type Command, UsageError } from '../cli/command';
import { TOKEN_SIDE } from '../cli/frames';
import { MODEL_OPTIONS, modelFiles } from '../cli/model-files';
import { type Gpu, openDevice } from '../src/engine/gpu/device';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { type KernelTime, Profiler } from '../src/engine/gpu/profile';
import { loadModel } from '../src/engine/model';
import { measureKernels } from './kernels';
import { timed } from './measure';
import { measurePeaks } from './peaks';
import { type BenchReport, kernelTables, stageTables } from './report';
import { BENCH_TEXT_TOKENS, Bench } from './stages';

const DEFAULT_FRAMES = 32;
const DEFAULT_BUDGET = 512;
/** Fewest pairs of frames in the default budget. */
const DEFAULT_PAIRS = 4;
/** Like a webcam's. */
const SOURCE = { width: 640, height: 480 };
const PROFILED_TOKENS = 8;

/** Else Dawn rounds timestamps to tenths of a millisecond, which is longer than most kernels run. */
const PRECISE_TIMESTAMPS = 'disable-dawn-features=timestamp_quantization';

export const benchCommand: Command = {
  name: 'bench',
  summary: 'Measure speed and memory on this machine.',
  usage: '[--model F --mmproj F] [--frames N] [--profile] [--json]  |  --kernels [--json]',
  description: `Loads a model, watches frames until memory is full and has pruned once, then measures: milliseconds and tokens of
each stage by itself (the middle of its runs), pairs of frames a second and decoded tokens a second at full speed,
milliseconds from a question to its first token, and GPU memory by purpose.

With --kernels, matrix products and attention at the shapes of a 2B model instead, beside the copy bandwidth and the
multiply-add rate that the same device shows in the same run. No model is needed then.

A software adapter (swiftshader, lavapipe) gives honest ratios, never speed.`,
  options: {
    ...MODEL_OPTIONS,
    frames: { value: 'N', help: `Video frames to watch while measuring, two a pair (${DEFAULT_FRAMES}).` },
    'budget-tokens': {
      value: 'N',
      help: `Visual tokens that memory may hold (${DEFAULT_BUDGET}, or ${DEFAULT_PAIRS} pairs of frames if that is more).`,
    },
    profile: { help: 'Also milliseconds by kernel, where the adapter has timestamp queries.' },
    kernels: { help: 'Measure kernels at realistic shapes instead of a model.' },
    json: { help: 'Print everything as JSON in the last line, too.' },
  },
  run: bench,
};

async function bench(args: Arguments): Promise<void> {
  const frames = args.integer('frames', 2) ?? DEFAULT_FRAMES;
  const budget = args.integer('budget-tokens', 1);
  if (args.has('kernels')) {
    const other = ['model', 'mmproj', 'size', 'frames', 'budget-tokens', 'profile'].find((name) =>
      args.has(name),
    );
    if (other)
      throw new UsageError(
        `--${other} and --kernels do not go together: kernels are measured without a model.`,
      );
  }
  const gpu = await openDevice(await openNodeGpu(args.has('profile') ? [PRECISE_TIMESTAMPS] : []));
  try {
    const report = args.has('kernels')
      ? await benchKernels(gpu)
      : await benchStages(gpu, args, Math.floor(frames / 2), budget);
    console.log('kernels' in report ? kernelTables(report) : stageTables(report));
    if (args.has('json')) console.log(JSON.stringify(report));
  } finally {
    gpu.device.destroy();
  }
}

async function benchKernels(gpu: Gpu) {
  return {
    adapter: gpu.adapterName,
    peaks: await measurePeaks(gpu.device),
    kernels: await measureKernels(gpu),
  };
}

async function benchStages(
  plain: Gpu,
  args: Arguments,
  pairs: number,
  budget?: number,
): Promise<BenchReport> {
  const profiler = args.has('profile') ? new Profiler(plain) : undefined;
  const gpu = profiler?.gpu ?? plain;
  const { model: modelFile, mmproj, frame } = await modelFiles(args);
  const load = await timed(gpu.device, async () => {
    const pairTokens = (frame.width * frame.height) / TOKEN_SIDE ** 2;
    return loadModel(gpu, {
      model: modelFile,
      mmproj,
      frame,
      visualTokens: budget ?? Math.max(DEFAULT_BUDGET, DEFAULT_PAIRS * pairTokens),
      textTokens: BENCH_TEXT_TOKENS,
      maxRgbPixels: SOURCE.width * SOURCE.height,
    });
  });
  const model = load.made;
  try {
    console.error(`loaded in ${(load.ms / 1000).toFixed(1)} s; warming up`);
    const run = new Bench(model, SOURCE);
    await run.warmUp();
    const measured = await run.measure(pairs);
    const profile = profiler && (await profileRuns(profiler, run));
    return {
      adapter: gpu.adapterName,
      model: modelFile.name,
      frame: { ...frame, tokens: model.grid.tokens },
      source: SOURCE,
      budgetTokens: model.ring.budget,
      loadMs: load.ms,
      ...measured,
      gpuBytes: model.ledger.bytes,
      gpuBytesByPurpose: model.ledger.bytesByPurpose,
      profile,
    };
  } finally {
    model.dispose();
  }
}

/** By kernel: of one pair of frames, and of one decoded token on average. */
async function profileRuns(profiler: Profiler, run: Bench) {
  const framePair = await profiler.record(() => run.pair());
  const question = await profiler.record(async () => void (await run.answer(1)));
  const answer = await profiler.record(async () => void (await run.answer(1 + PROFILED_TOKENS)));
  const decode = answer.map((time): KernelTime => {
    const before = question.find(({ kernel }) => kernel === time.kernel);
    return {
      kernel: time.kernel,
      dispatches: (time.dispatches - (before?.dispatches ?? 0)) / PROFILED_TOKENS,
      ms: Math.max(0, time.ms - (before?.ms ?? 0)) / PROFILED_TOKENS,
    };
  });
  return { framePair, decode: decode.filter(({ dispatches }) => dispatches > 0).sort((a, b) => b.ms - a.ms) };
}
