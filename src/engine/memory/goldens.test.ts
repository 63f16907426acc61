// InfiniPot-V's kernels on whole frames against the indices that reference/oracle_infinipot.py chose.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNpy } from '../../npy';
import { Ledger } from '../gpu/ledger';
import { submit } from '../gpu/program';
import { download, testGpu } from '../gpu/testing/harness';
import { infinipotV } from './policies/infinipot-v';
import { writeRingControl } from './ring-control';
import { buildRingPrograms } from './ring-programs';
import { EMPTY, planRing, type RingShape, SLOT_WORDS } from './ring-shape';
import { halfValue } from './testing/random-rows';

const FOLDER = join(import.meta.dirname, '../../../reference/fixtures/infinipot');

interface Golden {
  readonly name: string;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly frames: number;
  readonly grid: [height: number, width: number];
  readonly keep: number;
  readonly recentTokens: number;
  readonly keysFile: string;
  readonly valuesFile: string;
  /** [layer][head], ascending. */
  readonly kept: number[][][];
}

const { cases } = JSON.parse(readFileSync(join(FOLDER, 'infinipot.json'), 'utf8')) as { cases: Golden[] };

/** Half bits [layers, kvHeads, tokens, headDim]. */
function halves(file: string): Uint16Array {
  return new Uint16Array(parseNpy(new Uint8Array(readFileSync(join(FOLDER, file))), file).bytes.buffer);
}

describe('InfiniPot-V goldens', () => {
  it.each(cases)('$name', async (golden) => {
    const { layers, kvHeads, headDim, frames, keep } = golden;
    const tokensPerFrame = golden.grid[0] * golden.grid[1];
    const tokens = frames * tokensPerFrame;
    const capacity = Math.ceil((tokens + 1) / 64) * 64;
    const shape: RingShape = { layers, kvHeads, headDim, capacity, tokensPerFrame, kvFormat: 'f16' };
    const gpu = await testGpu();
    const ledger = await Ledger.create(gpu.device, planRing(shape));
    const programs = await buildRingPrograms(gpu, ledger, shape);
    submit(gpu.device, 'reset', (pass) => programs.reset.record(pass));

    const keys = halves(golden.keysFile);
    const values = halves(golden.valuesFile);
    for (let head = 0; head < layers * kvHeads; head++) {
      const slots = new Uint32Array(tokens * SLOT_WORDS);
      const norms = new Float32Array(slots.buffer);
      const row = (token: number) => (head * tokens + token) * headDim;
      for (let token = 0; token < tokens; token++) {
        const value = values.subarray(row(token), row(token + 1));
        slots.set([token, Math.floor(token / tokensPerFrame), token % tokensPerFrame], token * SLOT_WORDS);
        norms[token * SLOT_WORDS + 3] = Math.sqrt(value.reduce((sum, bits) => sum + halfValue(bits) ** 2, 0));
      }
      gpu.device.queue.writeBuffer(ledger.get('ring.slots'), head * capacity * SLOT_WORDS * 4, slots);
      gpu.device.queue.writeBuffer(
        ledger.get(`ring.keys.${Math.floor(head / kvHeads)}`),
        (head % kvHeads) * capacity * headDim * 2,
        keys.slice(row(0), row(tokens)),
      );
    }

    const plan = infinipotV.plan!({ visualTokens: tokens, tokensPerFrame, keep });
    expect(plan.recentFrames * tokensPerFrame).toBe(golden.recentTokens);
    writeRingControl(gpu.device, ledger.get('ring.control'), {
      nextSeq: tokens,
      scanSlots: tokens,
      freeTail: 0,
      firstRecent: frames - plan.recentFrames,
      recentFrames: plan.recentFrames,
      stages: plan.stages,
    });
    submit(gpu.device, 'prune', (pass) =>
      programs.prune.record(pass, { scanSlots: tokens, scores: new Set(['tar', 'van']) }),
    );

    const after = await download(gpu.device, ledger.get('ring.slots'));
    for (let head = 0; head < layers * kvHeads; head++) {
      const kept = Array.from({ length: tokens }, (_, i) => i).filter(
        (i) => after[(head * capacity + i) * SLOT_WORDS] !== EMPTY,
      );
      expect(kept, `head ${head}`).toEqual(golden.kept[Math.floor(head / kvHeads)]![head % kvHeads]);
    }
    ledger.dispose();
  });
});
