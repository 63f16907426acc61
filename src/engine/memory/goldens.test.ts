// InfiniPot-V's kernels on whole frames against the indices that reference/oracle_infinipot.py chose.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNpy } from '../../npy';
import { Ledger } from '../gpu/ledger';
import { download, testGpu } from '../gpu/testing/harness';
import { Ring } from './ring';
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
  readonly pooling: boolean;
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
    const { layers, kvHeads, headDim, frames, keep, pooling } = golden;
    const [rows, gridColumns] = golden.grid;
    const tokensPerFrame = rows * gridColumns;
    const tokens = frames * tokensPerFrame;
    const capacity = Math.ceil(tokens / 64) * 64;
    const heads = { layers, kvHeads, headDim, capacity };
    const shape: RingShape = { ...heads, tokensPerFrame, gridColumns, kvFormat: 'f16' };
    const { device } = await testGpu();
    const ledger = await Ledger.create(device, planRing(shape));
    const ring = await Ring.create(await testGpu(), ledger, shape, capacity);
    ring.configure({ policy: 'infinipot-v', pooling });
    for (let frame = 0; frame < frames; frame++) ring.allocate('visual', tokensPerFrame);

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
      device.queue.writeBuffer(ledger.get('ring.slots'), head * capacity * SLOT_WORDS * 4, slots);
      device.queue.writeBuffer(
        ledger.get(`ring.keys.${Math.floor(head / kvHeads)}`),
        (head % kvHeads) * capacity * headDim * 2,
        keys.slice(row(0), row(tokens)),
      );
    }
    ring.prune(keep);

    const after = await download(device, ledger.get('ring.slots'));
    for (let head = 0; head < layers * kvHeads; head++) {
      const kept = Array.from({ length: tokens }, (_, i) => i).filter(
        (i) => after[(head * capacity + i) * SLOT_WORDS] !== EMPTY,
      );
      expect(kept, `head ${head}`).toEqual(golden.kept[Math.floor(head / kvHeads)]![head % kvHeads]);
    }
    ledger.dispose();
  });
});
