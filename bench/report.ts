// The tables that benchmarks print.

import { count, table } from '../cli/table';
import type { KernelTime } from '../src/engine/gpu/profile';
import type { KernelRate, SkippedKernel } from './kernels';
import type { Peaks } from './peaks';
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
  const prunes =
    report.pruneShare === undefined
      ? ''
      : `\nprunes  ${(100 * report.pruneShare).toFixed(1)} % of the time of watching, by the fastest runs`;
  const bytes = Object.entries(report.gpuBytesByPurpose);
  return [
    `adapter: ${report.adapter}`,
    `model: ${report.model}; frames of ${source.width} × ${source.height} pixels seen as ${frame.width} × ${frame.height}, ${frame.tokens} tokens a pair; budget ${count(report.budgetTokens)} visual tokens`,
    table(
      ['stage', 'ms', 'fastest', 'tokens', 'tokens/s', 'runs'],
      [['load', decimals(report.loadMs), '', '', '', '1'], ...times],
      1,
    ),
    `frame pairs/s  ${decimals(report.framePairsPerSecond)}\ndecode tokens/s  ${decimals(report.decodeTokensPerSecond)}\nquestion to first token  ${decimals(report.firstTokenMs)} ms${prunes}`,
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
    `${((100 * ms) / total).toFixed(1)} %`,
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
      share(gigaflops, peaks.gigaflops),
      decimals(gigabytes),
      share(gigabytes, copy),
    ];
  });
  return [
    `adapter: ${adapter}`,
    `at best: copy ${decimals(peaks.kernelCopyGigabytes)} GB/s by a kernel, ${decimals(peaks.bufferCopyGigabytes)} GB/s by the device; multiply-add ${decimals(peaks.gigaflops)} GFLOP/s`,
    table(['kernel', 'shape', 'ms', 'GFLOP/s', 'of best', 'GB/s', 'of best'], rows, 2),
  ].join('\n\n');
}

function share(rate: number, best: number): string {
  return `${((100 * rate) / best).toFixed(1)} %`;
}

/** Three significant digits, and none behind the point from 100 on. */
function decimals(value: number): string {
  if (value >= 100) return count(Math.round(value));
  if (value >= 10) return value.toFixed(1);
  return value >= 1 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
}
