// The tables of a stream's benchmark.

import { count, table } from '../cli/table';
import type { Median } from './measure';
import { decimals } from './report';
import type { Compared, StreamReport } from './stream';

/** Everything a stream's benchmark found; what `--json` prints. */
export interface StreamBenchReport {
  readonly adapter: string;
  readonly model: string;
  readonly frame: { readonly width: number; readonly height: number };
  readonly source: { readonly width: number; readonly height: number };
  readonly stream: StreamReport;
}

const MIB = 2 ** 20;

export function streamTables({ adapter, model, frame, source, stream }: StreamBenchReport): string {
  const { minutes, lastToFirst } = stream;
  const [first, last] = [minutes[0]!, minutes.at(-1)!];
  const memory = minutes.map((minute) => [
    ...[minute.minutes, minute.framesSeen, minute.prunes, minute.visualTokens, minute.dialogueTokens].map(
      count,
    ),
    ...[minute.gpuBytes, minute.grown.bytes, minute.grown.buffers].map(count),
    decimals(minute.heapBytes / MIB),
    decimals(minute.processBytes / MIB),
  ]);
  const times = minutes.flatMap(({ minutes: after, pair, question }) => [
    timeRow(after, 'pair of frames', pair),
    timeRow(after, 'question to first token', question),
  ]);
  return [
    `adapter: ${adapter}`,
    `model: ${model}; ${stream.framesPerSecond} frames a second of ${source.width} × ${source.height} pixels seen as ${frame.width} × ${frame.height}; ${stream.policy}, ${stream.positions} positions, budget ${count(stream.budgetTokens)} visual tokens, room for ${count(stream.textTokens)} of text`,
    table(
      [
        ...['minutes', 'frames', 'prunes', 'visual', 'dialogue'],
        ...['GPU bytes', 'grown by', 'buffers created', 'heap MiB', 'process MiB'],
      ],
      memory,
      0,
    ),
    table(
      [
        ...['minutes', 'stage', 'ms', 'fastest', 'fresh ms', 'fastest', 'old / fresh'],
        ...['CPU ms', 'fresh CPU ms', 'old / fresh', 'runs'],
      ],
      times,
      2,
    ),
    `minute ${last.minutes} against minute ${first.minutes}: a pair ${factor(lastToFirst.pair)}, a question ${factor(lastToFirst.question)}, with whatever else the machine did then\nminute ${last.minutes} against a fresh session in turns: a pair ${interval(last.pair.ratio)}, a question ${interval(last.question.ratio)}`,
  ].join('\n\n');
}

function timeRow(after: number, stage: string, times: Compared): string[] {
  const { old, fresh, ratio, cpuRatio, runs } = times;
  return [
    ...[count(after), stage],
    ...[old.ms, old.leastMs, fresh.ms, fresh.leastMs].map(decimals),
    interval(ratio),
    ...[old.cpuMs, fresh.cpuMs].map(decimals),
    ...[interval(cpuRatio), count(runs)],
  ];
}

/** With its 95 % confidence interval. */
function interval({ middle, low, high }: Median): string {
  return `${factor(middle)} (${low.toFixed(3)}–${high.toFixed(3)})`;
}

function factor(ratio: number): string {
  return `× ${ratio.toFixed(3)}`;
}
