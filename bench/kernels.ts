// Our matrix products and attention at the shapes of a real model, beside what the same device shows when it
// only copies or only multiplies and adds. Weights and caches hold arbitrary values.

import { planDecoder } from '../src/engine/decoder/buffers';
import type { DecoderHyper } from '../src/engine/decoder/hyper';
import type { DecoderOptions } from '../src/engine/decoder/options';
import { blockProgram, stepProgram } from '../src/engine/decoder/programs';
import type { DecoderLayerWeights } from '../src/engine/decoder/weights';
import { WEIGHT_FORMATS, type WeightFormat, weightBytes } from '../src/engine/gguf/weight-format';
import type { Gpu } from '../src/engine/gpu/device';
import { Ledger } from '../src/engine/gpu/ledger';
import { addMatmul, addMatvec, type BlockShape } from '../src/engine/gpu/linear';
import { storage } from '../src/engine/gpu/memory-plan';
import { ProgramBuilder, submit } from '../src/engine/gpu/program';
import { planStep, writeStep } from '../src/engine/gpu/step';
import { type Matrix, type MatrixPart, partShape } from '../src/engine/gpu/weights';
import { planRing, SLOT_WORDS } from '../src/engine/memory/ring-shape';
import { fastest } from './measure';

/** One measured kernel. */
export interface KernelRate {
  readonly kernel: string;
  readonly shape: string;
  readonly ms: number;
  /** Multiplications and additions, and bytes of weights, cache and activations that must be read or written. */
  readonly gigaflops: number;
  readonly gigabytes: number;
}

/** A kernel left out, because it would run too long on this device. */
export interface SkippedKernel {
  readonly kernel: string;
  readonly shape: string;
  readonly predictedMs: number;
}

/** Longer dispatches make the watchdogs of drivers and browsers nervous. */
const LONGEST_MS = 2000;

/** Qwen2-VL-2B's attention. */
const HEADS = 12;
const KV_HEADS = 2;
const HEAD_DIM = 128;

export async function measureKernels(gpu: Gpu): Promise<(KernelRate | SkippedKernel)[]> {
  const rates: (KernelRate | SkippedKernel)[] = [];
  for (const format of WEIGHT_FORMATS) rates.push(await measureProduct(gpu, format, 1, 1536, 1536));
  for (const format of WEIGHT_FORMATS) rates.push(await measureProduct(gpu, format, 64, 768, 768));
  if (gpu.features.f16 && gpu.kernels === 'tiled') {
    for (const format of WEIGHT_FORMATS) rates.push(await measureProduct(gpu, format, 64, 768, 768, true));
  }
  for (const tokens of [1, 64]) {
    let reached: number | undefined;
    for (const slots of [512, 2048, 8192]) {
      const shape = `${tokens} token${tokens > 1 ? 's' : ''}, ${slots} slots`;
      const predictedMs = reached ? attentionFlops(tokens, slots) / reached / 1e6 : 0;
      if (predictedMs > LONGEST_MS) {
        rates.push({ kernel: 'attention', shape, predictedMs });
        continue;
      }
      const rate = await measureAttention(gpu, tokens, slots, shape);
      rates.push(rate);
      reached = rate.gigaflops;
    }
  }
  return rates;
}

/** A block through matmul; a single token through matvec, where the device runs that for single tokens. */
async function measureProduct(
  gpu: Gpu,
  format: WeightFormat,
  tokens: number,
  rows: number,
  cols: number,
  f16 = false,
): Promise<KernelRate> {
  const { device, kernels } = gpu;
  const weights = weightBytes(format, rows, cols);
  const ledger = await Ledger.create(device, [
    planStep('step'),
    storage('x', 'activations', tokens * cols),
    storage('y', 'activations', tokens * rows),
    storage('weights', 'weights', weights / 4),
    { name: 'shape', kind: 'uniform', purpose: 'weights', bytes: 16 },
  ]);
  try {
    device.queue.writeBuffer(ledger.get('weights'), 0, arbitraryWords(format, weights / 4));
    device.queue.writeBuffer(ledger.get('x'), 0, arbitraryWords('f32', tokens * cols));
    writeStep(device, ledger.get('step'), { tokens });
    const part: MatrixPart = { buffer: 'weights', format, firstRow: 0, rows, shape: 'shape' };
    device.queue.writeBuffer(ledger.get('shape'), 0, partShape(part, cols, rows));
    const matrix: Matrix = { rows, cols, parts: [part] };
    const builder = new ProgramBuilder<BlockShape>();
    const [step, x, y] = [ledger.get('step'), ledger.get('x'), ledger.get('y')];
    const vector = tokens === 1 && kernels === 'tiled';
    if (vector) addMatvec(builder, ledger, matrix, { x, y });
    else addMatmul(builder, ledger, matrix, { step, x, y, matmul: { kernels, f16 } });
    return await rate(
      gpu,
      builder,
      { tokens },
      {
        kernel: `${vector ? 'matvec' : 'matmul'} ${format}${f16 ? ', f16 tiles' : ''}`,
        shape: `${tokens}×${rows}×${cols}`,
        flops: 2 * tokens * rows * cols,
        bytes: weights + 4 * tokens * (rows + cols),
      },
    );
  } finally {
    ledger.dispose();
  }
}

/** What a program of the decoder is built from; only its attention is run, so the weights may be anything. */
function attentionOptions(gpu: Gpu, tokens: number, slots: number): DecoderOptions {
  const hyper: DecoderHyper = {
    layers: 1,
    width: HEADS * HEAD_DIM,
    heads: HEADS,
    kvHeads: KV_HEADS,
    headDim: HEAD_DIM,
    ffnWidth: 32,
    vocab: 32,
    contextLength: 32768,
    normEpsilon: 1e-6,
    ropeTheta: 1e6,
    ropeSections: [16, 24, 24],
    ropeInterleaved: false,
    mrope: true,
    adjacentPairs: false,
    qkvBias: true,
    qkNorm: false,
    deepstackLayers: 0,
  };
  const part = { buffer: 'unused', format: 'f32', firstRow: 0, rows: 1, shape: 'unused' } as const;
  const matrix: Matrix = { rows: 1, cols: 4, parts: [part] };
  const layer: DecoderLayerWeights = {
    attentionNorm: 'unused',
    qkv: matrix,
    attentionOutput: matrix,
    ffnNorm: 'unused',
    gateUp: matrix,
    down: matrix,
  };
  const shape = {
    layers: 1,
    kvHeads: KV_HEADS,
    headDim: HEAD_DIM,
    capacity: slots,
    tokensPerFrame: 64,
    gridColumns: 8,
  };
  return {
    hyper,
    weights: { embedding: matrix, layers: [layer], outputNorm: 'unused', head: matrix },
    ring: { ...shape, kvFormat: 'f16' },
    blockTokens: tokens,
    matmul: { kernels: gpu.kernels, f16: false },
  };
}

async function measureAttention(gpu: Gpu, tokens: number, slots: number, shape: string): Promise<KernelRate> {
  const { device } = gpu;
  const options = attentionOptions(gpu, tokens, slots);
  const ledger = await Ledger.create(device, [
    ...planDecoder(options.hyper, tokens, slots, gpu.kernels),
    ...planRing(options.ring),
    storage('unused', 'weights', 4),
  ]);
  try {
    for (const [name, format] of [
      ['ring.keys.0', 'f16'],
      ['ring.values.0', 'f16'],
      ['decoder.qkv', 'f32'],
    ] as const) {
      const buffer = ledger.get(name);
      device.queue.writeBuffer(buffer, 0, arbitraryWords(format, buffer.size / 4));
    }
    const places = new Uint32Array(KV_HEADS * slots * SLOT_WORDS);
    for (let i = 0; i < KV_HEADS * slots; i++) places[SLOT_WORDS * i] = i % slots;
    device.queue.writeBuffer(ledger.get('ring.slots'), 0, places);
    writeStep(device, ledger.get('decoder.step'), { tokens, firstSeq: slots - tokens, scanSlots: slots });
    const whole = tokens === 1 && gpu.kernels === 'tiled' ? stepProgram : blockProgram;
    const builder = whole(gpu, ledger, options).select(({ module }) => module.startsWith('attention'));
    return await rate(
      gpu,
      builder,
      { tokens, embed: false, scanSlots: slots },
      {
        kernel: 'attention',
        shape,
        flops: attentionFlops(tokens, slots),
        bytes: KV_HEADS * slots * (2 * 2 * HEAD_DIM + 4 * SLOT_WORDS) + 4 * tokens * 2 * HEADS * HEAD_DIM,
      },
    );
  } finally {
    ledger.dispose();
  }
}

function attentionFlops(tokens: number, slots: number): number {
  return 4 * tokens * slots * HEADS * HEAD_DIM;
}

async function rate<S>(
  { device }: Gpu,
  builder: ProgramBuilder<S>,
  runShape: S,
  { kernel, shape, flops, bytes }: { kernel: string; shape: string; flops: number; bytes: number },
): Promise<KernelRate> {
  const program = await builder.build(device, kernel);
  const ms = await fastest(device, (repetitions) =>
    submit(device, kernel, (pass) => {
      for (let i = 0; i < repetitions; i++) program.record(pass, runShape);
    }),
  );
  return { kernel, shape, ms, gigaflops: flops / ms / 1e6, gigabytes: bytes / ms / 1e6 };
}

/** Words that are ordinary numbers in the format: no NaN, no infinity, nothing too small to compute with. */
function arbitraryWords(format: WeightFormat, words: number): Uint32Array<ArrayBuffer> {
  const data = new Uint32Array(words);
  for (let i = 0; i < words; i++) {
    const bits = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    // f32: ±1.m; halves: ±m · 2^-7. Quants may be anything, and scales are halves or small numbers.
    data[i] = format === 'f32' ? (bits & 0x807fffff) | 0x3f800000 : (bits & 0x83ff83ff) | 0x20002000;
  }
  return data;
}
