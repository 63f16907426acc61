// The benchmarks run through on a small model and report what they should; times are whatever they are.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { main } from '../cli/main';
import { RETENTIONS } from '../cli/retention';
import { complaints, printed } from '../cli/testing/output';
import { openDevice } from '../src/engine/gpu/device';
import { openNodeGpu } from '../src/engine/gpu/node-gpu';
import type { RingShape } from '../src/engine/memory/ring-shape';
import { countBuffers } from './buffer-count';
import { median } from './measure';
import { measureRing } from './ring';
import { MovingScene } from './scene';
import type { StreamBenchReport } from './stream-report';

const file = (name: string) => join(import.meta.dirname, '../reference/fixtures', name);

const SMALL = [
  ...['--model', file('gqa1-hd32-f32.model.gguf'), '--mmproj', file('gqa1-hd32-f32.mmproj.gguf')],
  ...['--size', '56x56', '--budget-tokens', '16'],
];

it('measures a model stage by stage, and prunes by policy', async () => {
  const policies = ['--policy', 'sliding-window', '--policy', 'infinipot-v+unrotated'];
  expect(await main(['bench', ...SMALL, '--frames', '8', ...policies, '--json'])).toBe(0);
  expect(printed[0]).toMatch(/^encode( +[\d.,]+){2} +4 /m);
  const report = JSON.parse(printed.at(-1)!);
  expect(report.frame).toEqual({ width: 56, height: 56, tokens: 4 });
  expect(report.stages.map(({ stage }: { stage: string }) => stage)).toEqual([
    'preprocess',
    'encode',
    'prefill',
    'question',
    'decode',
  ]);
  for (const { ms } of report.stages) expect(ms).toBeGreaterThan(0);
  expect(report.prunes.map(({ policy }: { policy: string }) => policy)).toEqual([
    'sliding-window',
    'infinipot-v+unrotated',
  ]);
  for (const { ms, share, pairsBetween, runs } of report.prunes) {
    expect(ms).toBeGreaterThan(0);
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    // Of four pairs, three stay.
    expect(pairsBetween).toBe(1);
    expect(runs).toBe(3);
  }
  expect(report.framePairsPerSecond).toBeGreaterThan(0);
  const bytes = Object.values<number>(report.gpuBytesByPurpose).reduce((sum, size) => sum + size, 0);
  expect(report.gpuBytes).toBe(bytes);
});

it('streams minutes without creating a buffer, beside a fresh session', async () => {
  // Three pairs of frames a minute.
  expect(await main(['bench', ...SMALL, '--stream', '2', '--fps', '0.1', '--json'])).toBe(0);
  expect(printed[0]).toMatch(/^ +2 +12 +\d +1[26] /m);
  const { stream } = JSON.parse(printed.at(-1)!) as StreamBenchReport;
  expect(stream.positions).toBe('rebased');
  expect(stream.minutes.map(({ minutes }) => minutes)).toEqual([1, 2]);
  for (const minute of stream.minutes) {
    expect(minute.framesSeen).toBe(6 * minute.minutes);
    expect(minute.framesDropped).toBe(0);
    expect(minute.visualTokens).toBeLessThanOrEqual(16);
    expect(minute.grown).toEqual({ buffers: 0, bytes: 0 });
    // The ledger knows of every buffer there is.
    expect(minute.gpuBytes).toBe(stream.loaded.bytes);
    expect(minute.heapBytes).toBeGreaterThan(0);
    expect(minute.processBytes).toBeGreaterThan(minute.heapBytes);
    expect(minute.pair.runs).toBe(3);
    expect(minute.question.runs).toBe(6);
    for (const { old, fresh, ratio } of [minute.pair, minute.question]) {
      for (const cost of [old, fresh]) expect(cost.ms).toBeGreaterThanOrEqual(cost.leastMs);
      expect(ratio.low).toBeGreaterThan(0);
      expect(ratio.middle).toBeGreaterThanOrEqual(ratio.low);
      expect(ratio.middle).toBeLessThanOrEqual(ratio.high);
    }
  }
  const [first, last] = stream.minutes;
  expect(last!.prunes).toBeGreaterThan(first!.prunes);
  // The conversation is full from the start, else its growth would count as the stream's.
  expect(last!.dialogueTokens).toBeGreaterThan(0.6 * stream.textTokens);
  expect(first!.dialogueTokens).toBeGreaterThan(0.6 * stream.textTokens);
  expect(stream.lastToFirst.pair).toBe(last!.pair.old.ms / first!.pair.old.ms);
  // Three sessions are opened, one after the other, and SwiftShader compiles slowly.
}, 300_000);

it('counts buffers that nobody planned', async () => {
  const entry = await openNodeGpu();
  const created = countBuffers(entry);
  const { device } = await openDevice(entry);
  expect(created()).toEqual({ buffers: 0, bytes: 0 });
  device.createBuffer({ size: 64, usage: GPUBufferUsage.STORAGE });
  device.createBuffer({ size: 32, usage: GPUBufferUsage.STORAGE });
  expect(created()).toEqual({ buffers: 2, bytes: 96 });
  device.destroy();
});

it('sets a prune beside what it moves and what ingesting costs at best', async () => {
  const gpu = await openDevice(await openNodeGpu());
  const shape: RingShape = {
    layers: 2,
    kvHeads: 2,
    headDim: 32,
    capacity: 64,
    tokensPerFrame: 4,
    gridColumns: 2,
    kvFormat: 'f16',
  };
  const names = ['sliding-window', 'infinipot-v+pooling+unrotated'];
  const policies = RETENTIONS.filter(({ name }) => names.includes(name));
  const peaks = { kernelCopyGigabytes: 1, bufferCopyGigabytes: 2, gigaflops: 1000 };
  const report = await measureRing(gpu, peaks, policies, shape);
  gpu.device.destroy();
  expect(report.keptTokens).toBe(48);
  const [window, infinipot] = report.prunes;
  // Four (layer, head) pairs: 64 slots of 20 bytes read; 16 freed, each marked and listed with a word.
  expect(window!.bytes).toBe(4 * (64 * 20 + 16 * 8));
  // And a key of 64 bytes for each slot.
  expect(infinipot!.bytes).toBe(window!.bytes + 4 * 64 * 64);
  expect(infinipot!.atBestMs).toBeCloseTo(infinipot!.bytes / 2e6);
  // Rebasing reads all slots, and reads and writes all keys.
  expect(report.rebase.bytes).toBe(4 * 64 * (20 + 2 * 64));
  expect(report.rebase.leastMs).toBeGreaterThan(0);
  for (const { leastMs, shareAtMost } of report.prunes) {
    expect(shareAtMost).toBeCloseTo(leastMs / (leastMs + report.ingestAtBestMs));
  }
});

it('draws pictures that move and change', () => {
  const draw = (seed: number, frames: number) => {
    const scene = new MovingScene({ width: 40, height: 30 }, seed);
    return Array.from({ length: frames }, () => scene.next().data.join());
  };
  const frames = draw(1, 24);
  expect(new Set(frames).size).toBeGreaterThan(12);
  expect(draw(1, 24)).toEqual(frames);
  expect(draw(2, 1)).not.toEqual(draw(1, 1));
});

it.each([
  [['--kernels', '--frames', '8'], '--frames and --kernels do not go together'],
  [['--ring', '--stream', '2'], '--ring and --stream do not go together'],
  [['--fps', '2'], 'give --stream MINUTES'],
  [['--policy', 'full'], "--policy is 'full'; choose sliding-window"],
  [['--stream', '2', '--policy', 'sliding-window', '--policy', 'infinipot-v'], 'give --policy once'],
])('refuses %j', async (options, complaint) => {
  expect(await main(['bench', ...options])).toBe(2);
  expect(complaints[0]).toContain(complaint);
});

it('takes the middle value', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});
