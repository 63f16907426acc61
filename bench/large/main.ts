// `npm run test:large`: models of their true sizes, with random weights, loaded and run in Node. Each in a process of its
// own, so that its memory can be told; the files are written before and removed after.

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exit } from '../../cli/exit';
import { type LargeReport, measureLarge } from './measure';
import { LARGE_PAIRS, type LargePair } from './models';
import { largeTables } from './report';
import { writeRandomFile } from './write-file';

/** Loading must do with so much of JavaScript's heap, whatever the size of the model: V8 ends a process that wants more. */
const HEAP_LIMIT = '--max-old-space-size=128';

/** The first argument of a process that measures. */
const MEASURE = '--measure';

const [first, ...others] = process.argv.slice(2);
await exit(first === MEASURE ? await measure(others) : await runAll(first ? [first, ...others] : []));

/** The process that loads and runs; its last line is the report. */
async function measure([name, folder]: readonly string[]): Promise<number> {
  const { frame } = pairNamed(name!);
  const report = await measureLarge(join(folder!, 'model.gguf'), join(folder!, 'mmproj.gguf'), frame);
  console.log(JSON.stringify(report));
  return 0;
}

/** @returns the exit code: 0 if everything holds of every pair. */
async function runAll(names: readonly string[]): Promise<number> {
  const pairs = names.length > 0 ? names.map(pairNamed) : LARGE_PAIRS;
  let failed = 0;
  for (const pair of pairs) {
    const report = await runPair(pair);
    console.log(report ? `\n${largeTables(pair.name, report)}\n` : `\n${pair.name} did not run\n`);
    if (!report || report.problems.length > 0) failed++;
  }
  console.log(`${pairs.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function pairNamed(name: string): LargePair {
  const pair = LARGE_PAIRS.find((one) => one.name === name);
  if (pair) return pair;
  throw new Error(`There is no '${name}'; there are ${LARGE_PAIRS.map((one) => one.name).join(', ')}.`);
}

async function runPair({ name, model, mmproj }: LargePair): Promise<LargeReport | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-large-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const interrupted = () => {
    remove();
    process.exit(130);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    console.error(`${name}: writing`);
    await writeRandomFile(join(folder, 'model.gguf'), model());
    await writeRandomFile(join(folder, 'mmproj.gguf'), mmproj());
    return await reportOf([MEASURE, name, folder]);
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    remove();
  }
}

/** What a process of this program reports; undefined where it failed. */
function reportOf(args: readonly string[]): Promise<LargeReport | undefined> {
  const child = spawn(process.execPath, [HEAP_LIMIT, process.argv[1]!, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      resolve(code === 0 ? JSON.parse(printed.trim().split('\n').at(-1)!) : undefined),
    );
  });
}
