// The tables that benchmarks print.

import { count, table } from '../cli/table';
import type { KernelTime } from '../src/engine/gpu/profile';
import type { KernelRate, SkippedKernel } from './kernels';
import type { Peaks } from './peaks';
import type { RingCost, RingReport } from './ring';
import type { StageReport } from './stages';

/** Everything a stage benchmark found; what `--json` prints. */
export interface BenchReport extends StageReport {
  readonly adapter: string;
  readonly model: string;
  readonly frame: { readonly width: number; readonly height: number; readonly tokens: number };
  readonly source: { readonly width: number; readonly height: number };
  readonly budgetTokens: number;
  readonly loadMs: number;
  readonly gpuBytes: number;
  readonly gpuBytesByPurpose: Readonly<Record<string, number>>;
  readonly profile?: { readonly framePair: readonly KernelTime[]; readonly decode: readonly KernelTime[] };
}

export interface KernelReport {
  readonly adapter: string;
  readonly peaks: Peaks;
  readonly kernels: readonly (KernelRate | SkippedKernel)[];
}

export interface RingBenchReport {
  readonly adapter: string;
  readonly peaks: Peaks;
  readonly ring: RingReport;
}

export function stageTables(report: BenchReport): string {
  const { frame, source, stages } = report;
  const times = stages.map(({ stage, ms, leastMs, tokens, runs }) => [
    stage,
    decimals(ms),
    decimals(leastMs),
    tokens === undefined ? '' : count(tokens),
    tokens === undefined ? '' : decimals((tokens * 1000) / ms),
    count(runs),
  ]);
  const prunes = report.prunes.map(({ policy, ms, leastMs, pairsBetween, share, runs }) => [
    policy,
    decimals(ms),
    decimals(leastMs),
    count(pairsBetween),
    percent(share),
    count(runs),
  ]);
  const bytes = Object.entries(report.gpuBytesByPurpose);
  return [
    `adapter: ${report.adapter}`,
    `model: ${report.model}; frames of ${source.width} × ${source.height} pixels seen as ${frame.width} × ${frame.height}, ${frame.tokens} tokens a pair; budget ${count(report.budgetTokens)} visual tokens`,
    table(
      ['stage', 'ms', 'fastest', 'tokens', 'tokens/s', 'runs'],
      [['load', decimals(report.loadMs), '', '', '', '1'], ...times],
      1,
    ),
    `frame pairs/s  ${decimals(report.framePairsPerSecond)}\ndecode tokens/s  ${decimals(report.decodeTokensPerSecond)}\nquestion to first token  ${decimals(report.firstTokenMs)} ms`,
    table(['prune', 'ms', 'fastest', 'pairs between', 'of watching', 'runs'], prunes, 1),
    table(
      ['GPU memory', 'bytes'],
      [...bytes, ['all', report.gpuBytes] as const].map(([purpose, size]) => [purpose, count(size)]),
      1,
    ),
    ...(report.profile
      ? [
          profileTable('a pair of frames', report.profile.framePair),
          profileTable('a decoded token', report.profile.decode),
        ]
      : []),
  ].join('\n\n');
}

function profileTable(what: string, times: readonly KernelTime[]): string {
  const total = times.reduce((sum, { ms }) => sum + ms, 0);
  const rows = times.map(({ kernel, dispatches, ms }) => [
    kernel,
    decimals(dispatches),
    ms.toFixed(3),
    percent(ms / total),
  ]);
  return `Kernels of ${what}, ${decimals(total)} ms in all:\n${table(['kernel', 'dispatches', 'ms', 'share'], rows, 1)}`;
}

export function kernelTables({ adapter, peaks, kernels }: KernelReport): string {
  const copy = Math.max(peaks.kernelCopyGigabytes, peaks.bufferCopyGigabytes);
  const rows = kernels.map((rate) => {
    if ('predictedMs' in rate) {
      return [rate.kernel, rate.shape, `skipped: about ${decimals(rate.predictedMs)} ms`, '', '', '', ''];
    }
    const { kernel, shape, ms, gigaflops, gigabytes } = rate;
    return [
      kernel,
      shape,
      ms.toFixed(3),
      decimals(gigaflops),
      percent(gigaflops / peaks.gigaflops),
      decimals(gigabytes),
      percent(gigabytes / copy),
    ];
  });
  return [
    `adapter: ${adapter}`,
    atBest(peaks),
    table(['kernel', 'shape', 'ms', 'GFLOP/s', 'of best', 'GB/s', 'of best'], rows, 2),
  ].join('\n\n');
}

export function ringTables({ adapter, peaks, ring }: RingBenchReport): string {
  const { layers, kvHeads, headDim, capacity, tokensPerFrame } = ring.shape;
  const row = (name: string, { ms, leastMs, bytes, atBestMs, runs }: RingCost, share: string) => [
    ...[name, decimals(ms), decimals(leastMs), count(bytes), decimals(atBestMs)],
    ...[percent(atBestMs / leastMs), share, count(runs)],
  ];
  const rows = [
    ...ring.prunes.map((prune) => row(prune.policy, prune, percent(prune.shareAtMost))),
    row('rebase of all keys', ring.rebase, ''),
  ];
  return [
    `adapter: ${adapter}`,
    atBest(peaks),
    `ring: ${layers} layers, ${kvHeads} KV heads, ${headDim} wide, ${count(capacity)} slots, ${count(ring.kvBytes)} bytes of keys and values; a pair of frames is ${tokensPerFrame} tokens, a prune leaves ${count(ring.keptTokens)}`,
    `the decoder's matrix products of the frames between two prunes, at best: ${decimals(ring.ingestAtBestMs)} ms`,
    table(['', 'ms', 'fastest', 'bytes', 'at best ms', 'of best', 'of watching, at most', 'runs'], rows, 1),
  ].join('\n\n');
}

function atBest(peaks: Peaks): string {
  return `at best: copy ${decimals(peaks.kernelCopyGigabytes)} GB/s by a kernel, ${decimals(peaks.bufferCopyGigabytes)} GB/s by the device; multiply-add ${decimals(peaks.gigaflops)} GFLOP/s`;
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 0.1 || value === 0 ? value.toFixed(1) : value.toPrecision(1)} %`;
}

/** Three significant digits, and none behind the point from 100 on. */
export function decimals(value: number): string {
  if (value >= 100) return count(Math.round(value));
  if (value >= 10) return value.toFixed(1);
  return value >= 1 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
}
