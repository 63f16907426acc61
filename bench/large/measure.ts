// Loads a pair of files on a device of the least limits, watches one pair of frames, asks, and decodes two tokens.
// What must hold of a model of any size is checked on the way.

import { type ModelFile, openModelFile } from '../../src/engine/gguf/model-file';
import { nodeFileSource } from '../../src/engine/gguf/node-file';
import { weightBytes } from '../../src/engine/gguf/weight-format';
import { openDevice } from '../../src/engine/gpu/device';
import type { BufferSpec, Purpose } from '../../src/engine/gpu/memory-plan';
import { openNodeGpu } from '../../src/engine/gpu/node-gpu';
import { loadModel, type Model, planModel } from '../../src/engine/model';
import { TOLERANCE } from '../../src/engine/testing/tolerance';
import { countBuffers } from '../buffer-count';
import { collectGarbage, timed } from '../measure';
import { Bench, type StageTime } from '../stages';
import { checkLogits } from './check-logits';
import type { LargePair } from './models';

const MIB = 2 ** 20;

/** What every device offers of a binding. */
const LARGEST_BINDING = 128 * MIB;

/**
 * Most that the process may grow by besides what is on the GPU, whose memory a software adapter takes from it: the heap,
 * and what the adapter makes of kernels. A second copy of the weights would be more.
 */
const LARGEST_OVERHEAD = 512 * MIB;

/** Slots of the ring, as a session has them that is asked for nothing else. */
const MEMORY = { visualTokens: 1024, textTokens: 1024 };
const SOURCE = { width: 640, height: 480 };

/** The first token of the answer, which ends the question, and two that are decoded. */
const ANSWER_TOKENS = 3;

const SAMPLE_MS = 10;

export interface LargeReport {
  readonly adapter: string;
  /** Of both files. */
  readonly fileBytes: number;
  readonly frame: { readonly width: number; readonly height: number; readonly tokens: number };
  readonly loadMs: number;
  readonly stages: readonly StageTime[];
  /** Processor time of the process, which on a software adapter is the GPU's work: other programs hardly add to it. */
  readonly cpuMs: { readonly load: number; readonly watch: number; readonly ask: number };
  readonly gpuBytes: number;
  readonly gpuBytesByPurpose: Readonly<Record<Purpose, number>>;
  readonly buffers: number;
  /** The largest that kernels read. */
  readonly largestBinding: Pick<BufferSpec, 'name' | 'bytes'>;
  /** Of the process, before loading and at its highest: a software adapter's memory is in it. */
  readonly processBytes: { readonly before: number; readonly highest: number };
  /** JavaScript's heap with what its arrays hold: before loading, at its highest while loading, and what stays. */
  readonly heapBytes: { readonly before: number; readonly highest: number; readonly after: number };
  /** How far logits are from the plain product of the last hidden state and rows of the head, of the sum of its terms. */
  readonly logitsDifference: number;
  /** What does not hold; empty if all is well. */
  readonly problems: readonly string[];
}

/** @throws EngineError where the model cannot be loaded or run. */
export async function measureLarge(
  modelPath: string,
  mmprojPath: string,
  frame: LargePair['frame'],
): Promise<LargeReport> {
  const problems: string[] = [];
  const hold = (holds: boolean, otherwise: string) => {
    if (!holds) problems.push(otherwise);
  };
  const entry = await openNodeGpu();
  const created = countBuffers(entry);
  const gpu = await openDevice(entry, { leastLimits: true });
  const failed: string[] = [];
  void gpu.failure.then((error) => failed.push(error.message));
  const sources = await Promise.all([nodeFileSource(modelPath), nodeFileSource(mmprojPath)] as const);

  const before = { heap: heapInUse(), process: process.memoryUsage().rss };
  const heap = watchHeap();
  const cpu = cpuClock();
  const options = {
    ...{ model: sources[0], mmproj: sources[1], frame, ...MEMORY },
    maxRgbPixels: SOURCE.width * SOURCE.height,
    onProgress: progressLine(),
  };
  const load = await timed(gpu.device, () => loadModel(gpu, options));
  const highestHeap = heap.stop();
  const model = load.made;
  const loadCpu = cpu();
  const after = heapInUse();

  const { plan } = model.ledger;
  const storage = plan.filter(({ kind }) => kind === 'storage');
  const largestBinding = storage.reduce((largest, spec) => (spec.bytes > largest.bytes ? spec : largest));
  hold(
    gpu.device.limits.maxStorageBufferBindingSize === LARGEST_BINDING &&
      largestBinding.bytes <= LARGEST_BINDING,
    `'${largestBinding.name}' is a binding of ${mebibytes(largestBinding.bytes)}`,
  );
  const onGpu = created();
  hold(
    onGpu.bytes === model.ledger.bytes && onGpu.buffers === plan.length,
    `${onGpu.buffers} buffers of ${onGpu.bytes} bytes were created; the plan has ${plan.length} of ${model.ledger.bytes}`,
  );
  const planned = await planModel(gpu, options);
  for (const [purpose, bytes] of Object.entries(model.ledger.bytesByPurpose)) {
    const foretold = planned[purpose as Purpose];
    hold(bytes === foretold, `${purpose} is ${bytes} bytes; the plan made of the headers says ${foretold}`);
  }
  const files = await Promise.all(sources.map((source) => openModelFile(source)));
  for (const file of files) {
    const [taken, laid] = [takenBytes(model, file), laidBytes(file)];
    hold(taken === laid, `${file.source.name} takes ${taken} bytes on the GPU; laid out once it is ${laid}`);
  }

  const run = new Bench(model, SOURCE);
  cpu();
  console.error(`loaded in ${(load.ms / 1000).toFixed(1)} s; watching`);
  await run.pair();
  const watchCpu = cpu();
  console.error('asking');
  const { restMs } = await run.answer(ANSWER_TOKENS);
  const askCpu = cpu();
  const decoded = ANSWER_TOKENS - 1;
  const decode = {
    stage: 'decode',
    ms: restMs / decoded,
    leastMs: restMs / decoded,
    tokens: 1,
    runs: decoded,
  };
  const stages = [
    ...['preprocess', 'encode', 'prefill', 'question'].map((stage) => run.stage(stage)),
    decode,
  ];

  const logits = await checkLogits(model, files[0]!);
  hold(logits.finite, 'some logits are not finite');
  hold(
    logits.difference <= TOLERANCE.largeHead,
    `logits are off by ${logits.difference} of their terms, more than ${TOLERANCE.largeHead}`,
  );
  hold(failed.length === 0, `the device reported: ${failed.join('; ')}`);
  hold(created().buffers === plan.length + logits.readBacks, 'watching or asking created buffers');

  const highestProcess = process.resourceUsage().maxRSS * 1024;
  const overhead = highestProcess - before.process - model.ledger.bytes;
  hold(
    overhead < LARGEST_OVERHEAD,
    `the process grew by ${mebibytes(overhead)} besides what is on the GPU; ${mebibytes(LARGEST_OVERHEAD)} are allowed`,
  );

  return {
    adapter: gpu.adapterName,
    fileBytes: sources[0].size + sources[1].size,
    frame: { ...frame, tokens: model.grid.tokens },
    loadMs: load.ms,
    stages,
    cpuMs: { load: loadCpu, watch: watchCpu, ask: askCpu },
    gpuBytes: model.ledger.bytes,
    gpuBytesByPurpose: model.ledger.bytesByPurpose,
    buffers: plan.length,
    largestBinding: { name: largestBinding.name, bytes: largestBinding.bytes },
    processBytes: { before: before.process, highest: highestProcess },
    heapBytes: { before: before.heap, highest: highestHeap, after },
    logitsDifference: logits.difference,
    problems,
  };
}

/** Bytes of the plan that hold tensors of a file, without the shapes of matrices. */
function takenBytes({ ledger }: Model, { source }: ModelFile): number {
  return ledger.plan
    .filter(({ name, kind }) => kind === 'storage' && name.startsWith(`weights.${source.name}.`))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/**
 * What a file's tensors take on the GPU, each once: as they are but for what fills up the sections of a row. A table of
 * positions is not among them: the encoder gets those of its own grid.
 */
function laidBytes(file: ModelFile): number {
  let bytes = 0;
  for (const { name, shape, rows, cols } of file.tensors.values()) {
    if (name.includes('position_embd')) continue;
    const { format } = file.weight(name);
    const outer = shape.length > 1 ? shape[0]! : 1;
    bytes += weightBytes(format, outer, (rows * cols) / outer, name);
  }
  return bytes;
}

/** Each call returns the processor time, in milliseconds, since the one before. */
function cpuClock(): () => number {
  let before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    return (user + system) / 1000;
  };
}

/** Of heap and arrays, after a collection. */
function heapInUse(): number {
  collectGarbage();
  return heapNow();
}

function heapNow(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The most that heap and arrays held, garbage and all, whenever anybody else let us look. */
function watchHeap(): { stop(): number } {
  let highest = 0;
  const timer = setInterval(() => {
    highest = Math.max(highest, heapNow());
  }, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return highest;
    },
  };
}

function progressLine(): (progress: { readonly stage: string; readonly fraction: number }) => void {
  let shown = '';
  return ({ stage, fraction }) => {
    const line = `${stage} ${Math.floor(fraction * 10) * 10} %`;
    if (line !== shown) console.error(line);
    shown = line;
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
