// `bench`: how fast and how large a model is on this machine, stage by stage or kernel by kernel.

import { type Arguments, type Command, listed, UsageError } from '../cli/command';
import { MODEL_OPTIONS, modelFiles } from '../cli/model-files';
import { POSITIONS_OPTION, positionsOf } from '../cli/positions';
import { RETENTIONS, type RetentionChoice } from '../cli/retention';
import { type Gpu, openDevice } from '../src/engine/gpu/device';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import { type KernelTime, Profiler } from '../src/engine/gpu/profile';
import { POLICIES } from '../src/engine/memory/policies';
import { loadModel } from '../src/engine/model';
import { measureKernels } from './kernels';
import { timed } from './measure';
import { measurePeaks } from './peaks';
import { type BenchReport, kernelTables, ringTables, stageTables } from './report';
import { measureRing } from './ring';
import { BENCH_TEXT_TOKENS, Bench } from './stages';
import { measureStream } from './stream';
import { type StreamBenchReport, streamTables } from './stream-report';

const DEFAULT_FRAMES = 32;
const DEFAULT_BUDGET = 512;
/** Fewest pairs of frames in the default budget. */
const DEFAULT_PAIRS = 4;
/** Like a webcam's. */
const SOURCE = { width: 640, height: 480 };
const PROFILED_TOKENS = 8;
/** The budget of a stream, in pairs of frames: small, so that it prunes every other pair. */
const STREAM_PAIRS = 8;

/** Those that let go of tokens. */
const PRUNING = RETENTIONS.filter(({ how }) => POLICIES[how.policy].plan);
const DEFAULT_POLICY = 'infinipot-v';

/** What can be measured instead of a model's stages, and the options that go with it. */
const MODES = {
  stream: [...Object.keys(MODEL_OPTIONS), 'fps', 'policy', 'positions', 'budget-tokens'],
  kernels: [],
  ring: ['policy'],
} as const satisfies Record<string, readonly string[]>;

/** Else Dawn rounds timestamps to tenths of a millisecond, which is longer than most kernels run. */
const PRECISE_TIMESTAMPS = 'disable-dawn-features=timestamp_quantization';

export const benchCommand: Command = {
  name: 'bench',
  summary: 'Measure speed and memory on this machine.',
  usage:
    '[--model F --mmproj F] [--frames N] [--profile] [--json]  |  --stream MINUTES [--json]  |  --kernels  |  --ring',
  description: `Loads a model, watches frames until memory is full and has pruned once, then measures: milliseconds and tokens of
each stage by itself (the middle of its runs), pairs of frames a second and decoded tokens a second at full speed,
milliseconds from a question to its first token, what prunes cost by policy, and GPU memory by purpose.

With --stream, one session that watches for so many minutes of its own clock, as fast as it goes: its memory after
1, 10, 30 and 60 of them, and its times in the minute after, beside a session that has just watched one minute. Both
hold the model.

With --kernels, matrix products and attention at the shapes of a 2B model instead, beside the copy bandwidth and the
multiply-add rate that the same device shows in the same run. With --ring, prunes at the size of a 3B model's memory.
No model is needed for either.

A software adapter (swiftshader, lavapipe) gives honest ratios, never speed.`,
  options: {
    ...MODEL_OPTIONS,
    frames: { value: 'N', help: `Video frames to watch while measuring, two a pair (${DEFAULT_FRAMES}).` },
    'budget-tokens': {
      value: 'N',
      help: `Visual tokens that memory may hold (${DEFAULT_BUDGET}, or ${DEFAULT_PAIRS} pairs of frames if that is more; ${STREAM_PAIRS} pairs with --stream).`,
    },
    policy: {
      value: 'NAME',
      help: `Whose prunes to measure: ${PRUNING.map(({ name }) => name).join(', ')} (${DEFAULT_POLICY}). Give it again for others.`,
      repeatable: true,
    },
    profile: { help: 'Also milliseconds by kernel, where the adapter has timestamp queries.' },
    stream: {
      value: 'MINUTES',
      help: 'Measure whether a stream of so many minutes stays as cheap as it began.',
    },
    positions: POSITIONS_OPTION,
    fps: { value: 'N', help: "Frames a second of the stream; the model card's if left out, else 2." },
    kernels: { help: 'Measure kernels at realistic shapes instead of a model.' },
    ring: { help: "Measure prunes at the size of a 3B model's memory instead of a model." },
    json: { help: 'Print everything as JSON in the last line, too.' },
  },
  run: bench,
};

async function bench(args: Arguments): Promise<void> {
  const mode = modeOf(args);
  const policies = policiesOf(args);
  const { text, report } = await (mode === 'stream'
    ? benchStream(args, policies)
    : onDevice(args, (gpu) =>
        mode === 'kernels'
          ? benchKernels(gpu)
          : mode === 'ring'
            ? benchRing(gpu, policies)
            : benchStages(gpu, args, policies),
      ));
  console.log(text);
  if (args.has('json')) console.log(JSON.stringify(report));
}

/** What a benchmark found: for people, and for `--json`. */
interface Outcome {
  readonly text: string;
  readonly report: object;
}

/** @throws UsageError on options that do not go together. */
function modeOf(args: Arguments): keyof typeof MODES | 'stages' {
  const mode = (Object.keys(MODES) as (keyof typeof MODES)[]).find((name) => args.has(name));
  if (!mode) {
    if (args.has('fps')) throw new UsageError('--fps is the pace of a stream: give --stream MINUTES, too.');
    if (args.has('positions')) {
      throw new UsageError('--positions is about a long stream: give --stream MINUTES, too.');
    }
    return 'stages';
  }
  const fitting: readonly string[] = [...MODES[mode], mode, 'json'];
  const other = Object.keys(benchCommand.options).find((name) => args.has(name) && !fitting.includes(name));
  if (other) throw new UsageError(`--${other} and --${mode} do not go together.`);
  return mode;
}

function policiesOf(args: Arguments): Policies {
  const given = args.list('policy');
  const [first, ...others] = (given.length > 0 ? given : [DEFAULT_POLICY]).map((wanted) => {
    const choice = PRUNING.find(({ name }) => name === wanted);
    if (choice) return choice;
    throw new UsageError(`--policy is '${wanted}'; choose ${listed(PRUNING.map(({ name }) => name))}.`);
  });
  return [first!, ...others];
}

type Policies = readonly [RetentionChoice, ...RetentionChoice[]];

async function onDevice(args: Arguments, run: (gpu: Gpu) => Promise<Outcome>): Promise<Outcome> {
  const gpu = await openDevice(await openNodeGpu(args.has('profile') ? [PRECISE_TIMESTAMPS] : []));
  try {
    return await run(gpu);
  } finally {
    gpu.device.destroy();
  }
}

async function benchKernels(gpu: Gpu): Promise<Outcome> {
  const report = {
    adapter: gpu.adapterName,
    peaks: await measurePeaks(gpu.device),
    kernels: await measureKernels(gpu),
  };
  return { text: kernelTables(report), report };
}

async function benchRing(gpu: Gpu, policies: Policies): Promise<Outcome> {
  const peaks = await measurePeaks(gpu.device);
  const report = { adapter: gpu.adapterName, peaks, ring: await measureRing(gpu, peaks, policies) };
  return { text: ringTables(report), report };
}

async function benchStream(args: Arguments, [policy, ...others]: Policies): Promise<Outcome> {
  if (others.length > 0) throw new UsageError('--stream measures one policy: give --policy once.');
  const minutes = args.integer('stream', 1)!;
  const fps = args.number('fps', 0.001, 1000);
  const budget = args.integer('budget-tokens', 1);
  const positions = positionsOf(args);
  const { model, mmproj, frame, tokensPerFrame, framesPerSecond, trainedPositions } = await modelFiles(args);
  const { device, adapterName } = await openDevice(await openNodeGpu());
  device.destroy();
  const begun = performance.now();
  const stream = await measureStream({
    ...{ model, mmproj, frame, trainedPositions, minutes, policy, positions },
    openGpu: openNodeGpu,
    source: SOURCE,
    framesPerSecond: fps ?? framesPerSecond,
    budgetTokens: budget ?? STREAM_PAIRS * tokensPerFrame,
    textTokens: BENCH_TEXT_TOKENS,
    onMinute: (done, measured) => {
      const seconds = (performance.now() - begun) / 1000;
      const ratio = measured
        ? `; a pair took ${measured.pair.ratio.middle.toFixed(3)} of a fresh session's`
        : '';
      console.error(`${done} minutes of the stream in ${seconds.toFixed(0)} s${ratio}`);
    },
  });
  const report: StreamBenchReport = {
    adapter: adapterName,
    model: model.name,
    frame,
    source: SOURCE,
    stream,
  };
  return { text: streamTables(report), report };
}

async function benchStages(plain: Gpu, args: Arguments, policies: Policies): Promise<Outcome> {
  const frames = args.integer('frames', 2) ?? DEFAULT_FRAMES;
  const budget = args.integer('budget-tokens', 1);
  const profiler = args.has('profile') ? new Profiler(plain) : undefined;
  const gpu = profiler?.gpu ?? plain;
  const { model: modelFile, mmproj, frame, tokensPerFrame } = await modelFiles(args);
  const load = await timed(gpu.device, () =>
    loadModel(gpu, {
      model: modelFile,
      mmproj,
      frame,
      visualTokens: budget ?? Math.max(DEFAULT_BUDGET, DEFAULT_PAIRS * tokensPerFrame),
      textTokens: BENCH_TEXT_TOKENS,
      maxRgbPixels: SOURCE.width * SOURCE.height,
    }),
  );
  const model = load.made;
  try {
    console.error(`loaded in ${(load.ms / 1000).toFixed(1)} s; warming up`);
    const run = new Bench(model, SOURCE);
    await run.warmUp();
    const measured = await run.measure(Math.floor(frames / 2), policies);
    const profile = profiler && (await profileRuns(profiler, run));
    const report: BenchReport = {
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
    return { text: stageTables(report), report };
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
