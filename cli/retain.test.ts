// `retain` as it is called, against the goldens of InfiniPot-V and the plain oracle; and mistakes in calling it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PolicyName } from '../src/engine/contract';
import { testGpu } from '../src/engine/gpu/testing/harness';
import * as oracle from '../src/engine/memory/testing/oracle';
import { halfValue, randomWords } from '../src/engine/memory/testing/random-rows';
import { parseNpy } from '../src/npy';
import { keptTokens } from './kept-tokens';
import { main } from './main';
import { complaints, printed } from './testing/output';

const FOLDER = mkdtempSync(join(tmpdir(), 'ringside-retain-'));
const FIXTURES = join(import.meta.dirname, '../reference/fixtures/infinipot');

/** Writes a .npy file and returns its path. */
function npy(name: string, shape: readonly number[], data: ArrayBufferView, dtype = '<f4'): string {
  const sizes = shape.map((size) => `${size},`).join(' ');
  const header = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const padded = `${header.padEnd(117)}\n`;
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const path = join(FOLDER, `${name}.npy`);
  writeFileSync(path, Buffer.concat([start, Buffer.from(padded), bytes]));
  return path;
}

/** A golden's array of halves as a float32 file. */
function asFloat32(file: string): string {
  const { shape, bytes } = parseNpy(new Uint8Array(readFileSync(join(FIXTURES, file))), file);
  return npy(file, shape, Float32Array.from(new Uint16Array(bytes.buffer), halfValue));
}

interface Golden {
  readonly name: string;
  readonly grid: readonly number[];
  readonly keep: number;
  readonly pooling: boolean;
  readonly keysFile: string;
  readonly valuesFile: string;
  readonly kept: number[][][];
}
const goldens = JSON.parse(readFileSync(join(FIXTURES, 'infinipot.json'), 'utf8')) as { cases: Golden[] };

it.each(['ties', 'pooled'])('prints what InfiniPot-V keeps of the golden %s', async (name) => {
  const golden = goldens.cases.find((candidate) => candidate.name === name)!;
  const code = await main([
    ...['retain', '--policy', 'infinipot-v', '--json', ...(golden.pooling ? ['--pooling'] : [])],
    ...['--keys', asFloat32(golden.keysFile), '--values', asFloat32(golden.valuesFile)],
    ...['--grid', golden.grid.join(','), '--keep', String(golden.keep)],
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(printed.at(-1)!)).toEqual(golden.kept);
});

// Five frames of 3 × 5 tokens, rows of 6 numbers: no multiple of anything.
const SHAPE = { layers: 3, kvHeads: 2, tokens: 75, headDim: 6, rows: 3, columns: 5 };
const SIZES = [SHAPE.layers, SHAPE.kvHeads, SHAPE.tokens, SHAPE.headDim];
const random = randomWords(11);
const floats = () =>
  Float32Array.from(
    { length: SIZES.reduce((product, size) => product * size) },
    () => random() / 2 ** 31 - 1,
  );
const [keys, values] = [floats(), floats()];

describe('keeps what the oracle keeps of whole frames', () => {
  for (const keep of [47, 18, 75]) {
    for (const [policy, pooling] of [
      ['sliding-window', false],
      ['uniform', false],
      ['random', false],
      ['tar', false],
      ['van', false],
      ['van', true],
      ['infinipot-v', false],
      ['infinipot-v', true],
    ] as const) {
      it(`${policy}${pooling ? ', pooled' : ''}, ${keep} of 75`, async () => {
        const choice = { policy, keep, pooling, seed: 5 };
        const kept = await keptTokens(await testGpu(), { keys, values, ...SHAPE }, choice);
        for (let layer = 0; layer < SHAPE.layers; layer++) {
          for (let head = 0; head < SHAPE.kvHeads; head++) {
            expect(oracleKeeps(policy, keep, pooling, layer, head)).toContainEqual(kept[layer]![head]);
          }
        }
      });
    }
  }
});

function oracleKeeps(
  policy: PolicyName,
  keep: number,
  pooling: boolean,
  layer: number,
  head: number,
): number[][] {
  const { tokens, headDim, kvHeads, layers, columns } = SHAPE;
  const tokensPerFrame = 15;
  const held = Array.from({ length: tokens }, (_, seq): oracle.Token => {
    const at = ((layer * kvHeads + head) * tokens + seq) * headDim;
    const key = Float64Array.from(keys!.subarray(at, at + headDim));
    const norm = Math.sqrt(values!.subarray(at, at + headDim).reduce((sum, x) => sum + x * x, 0));
    const [frame, patch] = [Math.floor(seq / tokensPerFrame), seq % tokensPerFrame];
    return { seq, frame, patch, key, valueNorm: Math.fround(norm) };
  });
  const evenFrames = oracle.spreadFrames([0, 1, 2, 3, 4], Math.ceil(keep / tokensPerFrame), 5);
  const grid = { tokensPerFrame, gridColumns: columns, layer, layers };
  return oracle.keptTokens(policy, held, keep, { ...grid, evenFrames, pooling, seed: 5 });
}

const files = ['--keys', npy('keys', SIZES, keys!), '--values', npy('values', SIZES, values!)];
const grid = ['--grid', '3,5'];

it('prints a summary', async () => {
  expect(await main(['retain', '--policy', 'uniform', ...files, ...grid, '--keep', '35'])).toBe(0);
  expect(printed[0]).toContain(
    'uniform keeps 35 of 75 tokens, 5 frames of 3 × 5, in each of 3 layers × 2 heads.',
  );
  // Frames 0, 1 and 3, and of the last the first five tokens.
  expect(printed[1]).toMatch(/\n +2 +1 +2 +1 +2 +0 +49$/);
});

it('says when the newest frames leave nothing to choose', async () => {
  expect(await main(['retain', '--policy', 'tar', ...files, ...grid, '--keep', '15'])).toBe(0);
  expect(complaints).toContainEqual(expect.stringContaining('of 15 tokens these leave none to choose'));
});

it('keeps everything under full', async () => {
  expect(await main(['retain', '--policy', 'full', ...files, ...grid, '--keep', '75', '--json'])).toBe(0);
  const all = Array.from({ length: 75 }, (_, i) => i);
  expect(JSON.parse(printed.at(-1)!)).toEqual(Array(3).fill([all, all]));
});

it('prints more than a pipe holds', () => {
  const size = [1, 4, 6000, 1];
  const ones = npy('ones', size, new Float32Array(24_000).fill(1));
  const command = ['cli/run.mjs', 'retain', '--policy', 'van', '--keys', ones, '--values', ones, '--json'];
  const printed = execFileSync('node', [...command, '--grid', '1,1', '--keep', '5999'], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(printed.length).toBeGreaterThan(100_000);
  const oldest = Array.from({ length: 5999 }, (_, i) => i);
  expect(JSON.parse(printed)).toEqual([[oldest, oldest, oldest, oldest]]);
});

describe('refuses', () => {
  const van = ['--policy', 'van'];
  const keep = ['--keep', '10'];
  const doubles = npy('doubles', SIZES, Float64Array.from(keys!), '<f8');
  const flat = npy('flat', [keys!.length], keys!);
  const short = npy('short', [3, 2, 25, 6], keys!.subarray(0, 900));
  const empty = npy('empty', [3, 2, 0, 6], new Float32Array());
  const huge = npy('huge', [1, 1, 1, 2], Float32Array.of(0, -1e9));
  const tiny = npy('tiny', [1, 1, 1, 2], Float32Array.of(0, 1e-9));
  const infinite = npy('infinite', [1, 1, 1, 2], Float32Array.of(1, Number.NaN));
  for (const [argv, code, message] of [
    [[...files, ...grid, ...keep], 2, '--policy is missing.'],
    [['--policy', 'lru', ...files, ...grid, ...keep], 2, "--policy is 'lru'; choose full, sliding-window,"],
    [
      ['--policy', 'full', ...files, ...grid, ...keep],
      2,
      'full lets go of nothing, so --keep can only be 75,',
    ],
    [[...van, ...files.slice(2), ...grid, ...keep], 2, '--keys is missing.'],
    [[...van, ...files, ...keep], 2, '--grid is missing.'],
    [[...van, ...files, '--grid', '3x5', ...keep], 2, '--grid is 3x5; give the rows and columns'],
    [[...van, ...files, '--grid', '0,5', ...keep], 2, '--grid is 0,5; give the rows and columns'],
    [[...van, ...files, ...grid], 2, '--keep is missing.'],
    [[...van, ...files, ...grid, '--keep', '0'], 2, '--keep is 0; it must be a number of at least 1.'],
    [[...van, ...files, ...grid, '--keep', '7.5'], 2, '--keep is 7.5; it must be a whole number.'],
    [[...van, ...files, ...grid, '--keep', '76'], 2, '--keep is 76, but there are 75 tokens;'],
    [
      ['--policy', 'tar', ...files, ...grid, ...keep],
      2,
      'tar always keeps a recent frame, and a frame has 15 tokens.',
    ],
    [['--policy', 'tar', ...files, ...grid, ...keep, '--pooling'], 2, 'it goes with van and infinipot-v.'],
    [
      [...van, ...files, ...grid, ...keep, '--seed', '4294967296'],
      2,
      '--seed is 4294967296; it must be below',
    ],
    [[...van, ...files, '--grid', '4,5', ...keep], 1, '75 tokens are no whole number of frames of 4 × 5.'],
    [
      [...van, '--keys', '/nowhere/k.npy', ...files.slice(2), ...grid, ...keep],
      1,
      'k.npy cannot be read at /nowhere',
    ],
    [
      [...van, '--keys', doubles, ...files.slice(2), ...grid, ...keep],
      1,
      'doubles.npy holds <f8; float32 is needed.',
    ],
    [
      [...van, '--keys', flat, ...files.slice(2), ...grid, ...keep],
      1,
      'flat.npy has the shape [2700]; it must be [layers,',
    ],
    [
      [...van, '--keys', short, ...files.slice(2), ...grid, ...keep],
      1,
      'Keys [3, 2, 25, 6] and values [3, 2, 75, 6] must',
    ],
    [
      [...van, '--keys', empty, '--values', empty, ...grid, ...keep],
      1,
      'empty.npy has the shape [3, 2, 0, 6]; it must be',
    ],
    [
      [...van, '--keys', infinite, '--values', infinite, '--grid', '1,1', '--keep', '1'],
      1,
      'infinite.npy holds infinities or NaN.',
    ],
    [
      [...van, '--keys', huge, '--values', huge, '--grid', '1,1', '--keep', '1'],
      1,
      'huge.npy has 1.0e+9 as its largest number;',
    ],
    [
      [...van, '--keys', tiny, '--values', tiny, '--grid', '1,1', '--keep', '1'],
      1,
      'tiny.npy has 1.0e-9 as its largest number;',
    ],
  ] as const) {
    it(message, async () => {
      expect(await main(['retain', ...argv])).toBe(code);
      expect(complaints[0]).toContain(message);
      expect(printed).toEqual([]);
    });
  }
});
