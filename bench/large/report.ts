// A large model's report as tables.

import { count, table } from '../../cli/table';
import { decimals } from '../report';
import type { LargeReport } from './measure';

const MIB = 2 ** 20;

export function largeTables(name: string, report: LargeReport): string {
  const { frame, stages, cpuMs, gpuBytesByPurpose, largestBinding, processBytes, heapBytes, problems } =
    report;
  const times = [
    ['load', '', decimals(report.loadMs)],
    ...stages.map(({ stage, tokens = 0, ms }) => [stage, String(tokens), decimals(ms)]),
  ];
  const memory = [
    ['files', report.fileBytes],
    ...Object.entries(gpuBytesByPurpose).map(([purpose, bytes]) => [`GPU: ${purpose}`, bytes] as const),
    [`GPU: all, ${report.buffers} buffers`, report.gpuBytes],
    [`largest binding: ${largestBinding.name}`, largestBinding.bytes],
    ['process before loading', processBytes.before],
    ['process at its highest', processBytes.highest],
    ['heap before loading', heapBytes.before],
    ['heap at its highest while loading', heapBytes.highest],
    ['heap after loading', heapBytes.after],
  ] as const;
  return [
    `${name} on ${report.adapter}; a pair of frames of ${frame.width} × ${frame.height} is ${frame.tokens} tokens`,
    table(['stage', 'tokens', 'ms'], times, 1),
    `processor time in ms: load ${decimals(cpuMs.load)}; watch ${decimals(cpuMs.watch)}; ask ${decimals(cpuMs.ask)}`,
    table(
      ['memory', 'bytes', 'MiB'],
      memory.map(([what, bytes]) => [String(what), count(Number(bytes)), (Number(bytes) / MIB).toFixed(1)]),
      1,
    ),
    `logits differ from the plain product by ${report.logitsDifference.toPrecision(2)} of their terms`,
    problems.length === 0 ? 'everything holds' : problems.map((problem) => `PROBLEM: ${problem}`).join('\n'),
  ].join('\n\n');
}
