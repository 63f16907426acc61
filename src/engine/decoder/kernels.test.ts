// rms_norm, layer_norm, swiglu and cache_write against double precision, each version the adapter has.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  download,
  downloadFloats,
  emptyBuffer,
  maxDifference,
  randomFloats,
  runKernel,
  testGpu,
  upload,
} from '../gpu/testing/harness';
import { SLOT_WORDS } from '../memory/ring-shape';
import { TOLERANCE } from '../testing/tolerance';
import { rotaryTable, textPositions } from './rotary';

const EPSILON = 1e-5;

/** The plain version, the one through workgroup memory, and the one with subgroups. */
const REDUCTIONS: readonly Record<string, boolean>[] = [{ direct: true }, {}, { subgroups: true }];

const step = (tokens: number, firstSeq = 0, freeHead = 0, frame = 0, time = 0) =>
  Uint32Array.of(tokens, firstSeq, freeHead, 0, frame, 0, 0, 0, 0, time, 0, 0);

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe.each(REDUCTIONS)('norms, %o', (conditions) => {
  beforeEach(async ({ skip }) => {
    skip('subgroups' in conditions && !(await testGpu()).features.subgroups, 'no subgroups');
  });

  it.each([
    [1, 4],
    [5, 36],
    [3, 320],
  ])('%i tokens of %i', async (tokens, width) => {
    const { device } = await testGpu();
    const x = randomFloats(tokens * width, 1).map((v) => v * 3 + 1);
    const [gain, bias] = [randomFloats(width, 2), randomFloats(width, 3)];
    const constants = { width, epsilon: EPSILON };
    const buffers = { x: upload(device, x), gain: upload(device, gain) };
    const y = emptyBuffer(device, tokens * width);
    const rows = Array.from({ length: tokens }, (_, t) => [...x.subarray(t * width, (t + 1) * width)]);

    const stepBuffer = upload(device, step(tokens));
    await runKernel(
      device,
      { module: 'rms_norm', conditions, constants },
      { ...buffers, step: stepBuffer, y },
      [tokens],
    );
    const rms = rows.flatMap((row) => {
      const scale = 1 / Math.sqrt(mean(row.map((v) => v * v)) + EPSILON);
      return row.map((v, i) => v * scale * gain[i]!);
    });
    expect(maxDifference(await downloadFloats(device, y), rms)).toBeLessThan(TOLERANCE.kernelF32);

    const last = emptyBuffer(device, width);
    await runKernel(
      device,
      { module: 'rms_norm', conditions: { ...conditions, last_token: true }, constants },
      { ...buffers, step: stepBuffer, y: last },
      [1],
    );
    expect(maxDifference(await downloadFloats(device, last), rms.slice(-width))).toBeLessThan(
      TOLERANCE.kernelF32,
    );

    const order = [...rows.keys()].map((row) => (row * 2 + 1) % tokens);
    const gathered = emptyBuffer(device, tokens * width);
    await runKernel(
      device,
      { module: 'rms_norm', conditions: { ...conditions, gather: true }, constants },
      { ...buffers, step: stepBuffer, y: gathered, source: upload(device, Uint32Array.from(order)) },
      [tokens],
    );
    const wanted = order.flatMap((row) => rms.slice(row * width, (row + 1) * width));
    expect(maxDifference(await downloadFloats(device, gathered), wanted)).toBeLessThan(TOLERANCE.kernelF32);

    await runKernel(
      device,
      { module: 'layer_norm', conditions, constants },
      { ...buffers, bias: upload(device, bias), y },
      [tokens],
    );
    const layer = rows.flatMap((row) => {
      const centre = mean(row);
      const scale = 1 / Math.sqrt(mean(row.map((v) => (v - centre) ** 2)) + EPSILON);
      return row.map((v, i) => (v - centre) * scale * gain[i]! + bias[i]!);
    });
    expect(maxDifference(await downloadFloats(device, y), layer)).toBeLessThan(TOLERANCE.kernelF32);
  });
});

it.each([
  [1, 4],
  [3, 260],
])('swiglu, %i tokens of %i', async (tokens, width) => {
  const { device } = await testGpu();
  const gateUp = randomFloats(tokens * 2 * width, 4).map((v) => v * 4);
  const y = emptyBuffer(device, tokens * width);
  await runKernel(
    device,
    { module: 'swiglu', constants: { width } },
    { step: upload(device, step(tokens)), gate_up: upload(device, gateUp), y },
    [Math.ceil(width / 4 / 64), tokens],
  );
  const want = Array.from({ length: tokens * width }, (_, i) => {
    const at = Math.floor(i / width) * 2 * width + (i % width);
    const gate = gateUp[at]!;
    return (gate / (1 + Math.exp(-gate))) * gateUp[at + width]!;
  });
  expect(maxDifference(await downloadFloats(device, y), want)).toBeLessThan(TOLERANCE.kernelF32);
});

it.each([
  { heads: 2, kvHeads: 2, headDim: 8, sections: [2, 1, 1] },
  { heads: 6, kvHeads: 2, headDim: 32, sections: [8, 4, 4] },
  { heads: 3, kvHeads: 1, headDim: 80, sections: [10, 15, 15] },
] as const)('cache_write, %o', async ({ heads, kvHeads, headDim, sections }) => {
  const { device } = await testGpu();
  const [tokens, capacity, firstSeq, freeHead, frame, time] = [5, 64, 1000, 62, 7, 19];
  const width = (heads + 2 * kvHeads) * headDim;
  const qkv = randomFloats(tokens * width, 6);
  const rotary = rotaryTable(textPositions(900, tokens), { headDim, ropeTheta: 1e4, ropeSections: sections });
  // A free list in no order, different for each head; the block wraps around its end.
  const free = Uint32Array.from(
    { length: kvHeads * capacity },
    (_, i) => ((i % capacity) * 29 + 11 * Math.floor(i / capacity)) % capacity,
  );
  const buffers = {
    qkv: upload(device, qkv),
    keys: emptyBuffer(device, kvHeads * capacity * headDim),
    values: emptyBuffer(device, kvHeads * capacity * headDim),
    slots: emptyBuffer(device, kvHeads * capacity * SLOT_WORDS),
  };
  await runKernel(
    device,
    {
      module: 'cache_write',
      conditions: { kv_f32: true },
      constants: { heads, kv_heads: kvHeads, head_dim: headDim, capacity },
    },
    {
      ...buffers,
      step: upload(device, step(tokens, firstSeq, freeHead, frame, time)),
      rotary: upload(device, rotary),
      free: upload(device, free),
    },
    [Math.ceil(((heads + kvHeads) * headDim) / 8 / 64), tokens],
  );

  const turned = (token: number, head: number) => {
    const at = token * width + head * headDim;
    const half = headDim / 2;
    return Array.from({ length: headDim }, (_, i) => {
      const pair = i % half;
      const [cosine, sine] = [rotary[token * headDim + 2 * pair]!, rotary[token * headDim + 2 * pair + 1]!];
      const [a, b] = [qkv[at + pair]!, qkv[at + pair + half]!];
      return i < half ? a * cosine - b * sine : b * cosine + a * sine;
    });
  };
  const got = await downloadFloats(device, buffers.qkv);
  const [keys, values] = [
    await downloadFloats(device, buffers.keys),
    await downloadFloats(device, buffers.values),
  ];
  const slots = await download(device, buffers.slots);
  const norms = new Float32Array(slots.buffer);
  for (let token = 0; token < tokens; token++) {
    for (let head = 0; head < heads; head++) {
      const at = token * width + head * headDim;
      expect(maxDifference(got.subarray(at, at + headDim), turned(token, head))).toBeLessThan(
        TOLERANCE.kernelF32,
      );
    }
    for (let head = 0; head < kvHeads; head++) {
      const slot = head * capacity + free[head * capacity + ((freeHead + token) % capacity)]!;
      const value = qkv.subarray(token * width + (heads + kvHeads + head) * headDim).subarray(0, headDim);
      expect(
        maxDifference(keys.subarray(slot * headDim, (slot + 1) * headDim), turned(token, heads + head)),
      ).toBeLessThan(TOLERANCE.kernelF32);
      expect(maxDifference(values.subarray(slot * headDim, (slot + 1) * headDim), value)).toBe(0);
      const [seq, ofFrame, cell, , ofTime] = slots.subarray(slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS);
      expect([seq, ofFrame, cell, ofTime]).toEqual([firstSeq + token, frame, token, time]);
      expect(norms[slot * SLOT_WORDS + 3]).toBeCloseTo(Math.hypot(...value), 5);
    }
  }
  // Nothing else was touched.
  expect(slots.filter((_, i) => i % SLOT_WORDS === 0 && slots[i] !== 0).length).toBe(tokens * kvHeads);
});

describe.each(REDUCTIONS)('head_norm, %o', (conditions) => {
  beforeEach(async ({ skip }) => {
    skip('subgroups' in conditions && !(await testGpu()).features.subgroups, 'no subgroups');
  });

  it.each([
    [1, 2, 1, 8],
    [3, 6, 2, 40],
    [2, 4, 4, 128],
  ])('%i tokens, %i heads, %i kv heads of %i', async (tokens, heads, kvHeads, headDim) => {
    const { device } = await testGpu();
    const lines = heads + 2 * kvHeads;
    const data = randomFloats(tokens * lines * headDim, 7).map((v) => v * 3 + 1);
    const gains = randomFloats(2 * headDim, 8);
    const qkv = upload(device, data);
    const constants = { heads, kv_heads: kvHeads, head_dim: headDim, epsilon: EPSILON };
    await runKernel(
      device,
      { module: 'head_norm', conditions, constants },
      { qkv, gains: upload(device, gains) },
      [heads + kvHeads, tokens],
    );
    const wanted = Array.from({ length: tokens * lines }, (_, line) => {
      const row = [...data.subarray(line * headDim, (line + 1) * headDim)];
      const head = line % lines;
      if (head >= heads + kvHeads) return row;
      const scale = 1 / Math.sqrt(mean(row.map((v) => v * v)) + EPSILON);
      return row.map((v, i) => v * scale * gains[(head < heads ? 0 : headDim) + i]!);
    }).flat();
    expect(maxDifference(await downloadFloats(device, qkv), wanted)).toBeLessThan(TOLERANCE.kernelF32);
  });
});

it.each([
  [4, [1]],
  [5 * 64 * 4, [2, 3]],
] as const)('add: %i values in %j workgroups', async (length, groups) => {
  const { device } = await testGpu();
  const [x, before] = [randomFloats(length, 1), randomFloats(length + 8, 2)];
  const y = upload(device, before);
  await runKernel(device, { module: 'add' }, { x: upload(device, x), y }, groups);
  expect([...(await downloadFloats(device, y))]).toEqual(
    [...before].map((v, i) => Math.fround(v + (x[i] ?? 0))),
  );
});
