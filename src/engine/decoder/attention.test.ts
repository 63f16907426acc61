// cache_write, attention and attention_combine against double precision: slots in any order, some empty, some
// newer than the query, over head dimensions, GQA ratios and lengths that are no multiple of a tile.

import { describe, expect, it } from 'vitest';
import {
  downloadFloats,
  emptyBuffer,
  maxDifference,
  randomFloats,
  runKernel,
  testGpu,
  upload,
} from '../gpu/testing/harness';
import { halfBits } from '../gpu/testing/random-weights';
import { EMPTY, SLOT_WORDS } from '../memory/ring-shape';
import { TOLERANCE } from '../testing/tolerance';

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tokens: number;
  readonly capacity: number;
  readonly scanSlots: number;
}

const SHAPES: readonly Shape[] = [
  { heads: 2, kvHeads: 2, headDim: 64, tokens: 1, capacity: 128, scanSlots: 99 },
  { heads: 6, kvHeads: 2, headDim: 32, tokens: 17, capacity: 192, scanSlots: 150 },
  { heads: 6, kvHeads: 1, headDim: 32, tokens: 5, capacity: 64, scanSlots: 40 },
  { heads: 2, kvHeads: 1, headDim: 80, tokens: 9, capacity: 320, scanSlots: 301 },
  { heads: 3, kvHeads: 1, headDim: 128, tokens: 3, capacity: 128, scanSlots: 128 },
  { heads: 2, kvHeads: 1, headDim: 40, tokens: 70, capacity: 128, scanSlots: 127 },
];

const stepWords = (tokens: number, firstSeq: number, freeHead: number, scanSlots: number, frame = 0) =>
  Uint32Array.of(tokens, firstSeq, freeHead, scanSlots, frame, 0, 0, 0, 0, 0, 0, 0);

/** A ring in disorder: sequence numbers shuffled, every seventh slot empty, some newer than the block. */
function scene({ heads, kvHeads, headDim, tokens, capacity, scanSlots }: Shape) {
  const firstSeq = scanSlots - tokens - 5;
  const slots = new Uint32Array(kvHeads * capacity * SLOT_WORDS);
  for (let head = 0; head < kvHeads; head++) {
    for (let slot = 0; slot < capacity; slot++) {
      const seq = (slot * 37 + head * 11) % scanSlots;
      const empty = slot >= scanSlots || slot % 7 === 3;
      slots[(head * capacity + slot) * SLOT_WORDS] = empty ? EMPTY : seq;
    }
    slots[head * capacity * SLOT_WORDS] = 0; // every query sees one slot at least
  }
  return {
    firstSeq,
    slots,
    qkv: randomFloats(tokens * (heads + 2 * kvHeads) * headDim, 1).map((v) => v * 3),
    keys: randomFloats(kvHeads * capacity * headDim, 2),
    values: randomFloats(kvHeads * capacity * headDim, 3),
  };
}

function reference(
  shape: Shape,
  { firstSeq, slots, qkv, keys, values }: ReturnType<typeof scene>,
): Float64Array {
  const { heads, kvHeads, headDim, tokens, capacity, scanSlots } = shape;
  const y = new Float64Array(tokens * heads * headDim);
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const kvHead = Math.floor(head / (heads / kvHeads));
      const query = (token * (heads + 2 * kvHeads) + head) * headDim;
      let sum = 0;
      const out = new Float64Array(headDim);
      for (let slot = 0; slot < scanSlots; slot++) {
        const at = kvHead * capacity + slot;
        if (slots[at * SLOT_WORDS]! > firstSeq + token) continue;
        let dot = 0;
        for (let d = 0; d < headDim; d++) dot += qkv[query + d]! * keys[at * headDim + d]!;
        const weight = Math.exp(dot / Math.sqrt(headDim));
        sum += weight;
        for (let d = 0; d < headDim; d++) out[d]! += weight * values[at * headDim + d]!;
      }
      for (let d = 0; d < headDim; d++) y[(token * heads + head) * headDim + d] = out[d]! / sum;
    }
  }
  return y;
}

/** Rows as the ring holds them. */
function cached(rows: Float32Array, kvF32: boolean): Float32Array | Uint32Array {
  if (kvF32) return rows;
  const halves = Uint16Array.from(rows, halfBits);
  return new Uint32Array(halves.buffer);
}

/** The plain version, through its buffer of scores. */
async function attendPlainly(shape: Shape, kvF32: boolean) {
  const { device } = await testGpu();
  const { heads, kvHeads, headDim, tokens, capacity, scanSlots } = shape;
  const data = scene(shape);
  const step = upload(device, stepWords(tokens, data.firstSeq, 0, scanSlots));
  const scores = emptyBuffer(device, tokens * heads * capacity);
  const y = emptyBuffer(device, tokens * heads * headDim);
  const spec = {
    conditions: { kv_f32: kvF32 },
    constants: { heads, kv_heads: kvHeads, head_dim: headDim, capacity },
  };
  await runKernel(
    device,
    { module: 'attention_scores', ...spec },
    {
      step,
      qkv: upload(device, data.qkv),
      keys: upload(device, cached(data.keys, kvF32)),
      slots: upload(device, data.slots),
      scores,
    },
    [Math.ceil(scanSlots / 64), tokens * heads],
  );
  await runKernel(
    device,
    { module: 'attention_values', ...spec },
    { step, scores, values: upload(device, cached(data.values, kvF32)), y },
    [Math.ceil((tokens * heads * headDim) / 4 / 64)],
  );
  return { got: await downloadFloats(device, y), want: reference(shape, data) };
}

async function attend(shape: Shape, splits: number, kvF32 = true) {
  const { device } = await testGpu();
  const { heads, kvHeads, headDim, tokens, capacity, scanSlots } = shape;
  const data = scene(shape);
  const y = emptyBuffer(device, tokens * heads * headDim);
  const sums = emptyBuffer(device, splits * heads * headDim);
  const extents = emptyBuffer(device, splits * heads * 2);
  const constants = { heads, kv_heads: kvHeads, head_dim: headDim, capacity };
  await runKernel(
    device,
    { module: 'attention', conditions: { kv_f32: kvF32, split: splits > 1 }, constants },
    {
      step: upload(device, stepWords(tokens, data.firstSeq, 0, scanSlots)),
      qkv: upload(device, data.qkv),
      keys: upload(device, cached(data.keys, kvF32)),
      values: upload(device, cached(data.values, kvF32)),
      slots: upload(device, data.slots),
      ...(splits > 1 ? { sums, extents } : { y }),
    },
    [Math.ceil((tokens * heads) / kvHeads / 8), kvHeads, splits],
  );
  if (splits > 1) {
    await runKernel(
      device,
      { module: 'attention_combine', constants: { heads, head_dim: headDim, splits } },
      { sums, extents, y },
      [Math.ceil((heads * headDim) / 4 / 64)],
    );
  }
  return { got: await downloadFloats(device, y), want: reference(shape, data) };
}

describe('attention', () => {
  for (const shape of SHAPES) {
    it(Object.entries(shape).join(' '), async () => {
      for (const kvF32 of [true, false]) {
        const tolerance = kvF32 ? TOLERANCE.kernelF32 : TOLERANCE.attentionF16Cache;
        const { got, want } = await attend(shape, 1, kvF32);
        expect(maxDifference(got, want)).toBeLessThan(tolerance);
        const plain = await attendPlainly(shape, kvF32);
        expect(maxDifference(plain.got, want)).toBeLessThan(tolerance);
      }
    });
  }

  for (const splits of [2, 5]) {
    it(`one token, slots split among ${splits}`, async () => {
      const { got, want } = await attend({ ...SHAPES[3]!, heads: 6, tokens: 1 }, splits);
      expect(maxDifference(got, want)).toBeLessThan(TOLERANCE.kernelF32);
    });
  }
});
