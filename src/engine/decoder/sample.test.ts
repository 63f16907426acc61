// The sampling kernel against a plain version of the same rules: greedy with ties, top-k, top-p, seeded noise.

import { describe, expect, it } from 'vitest';
import { download, emptyBuffer, randomFloats, runKernel, testGpu, upload } from '../gpu/testing/harness';

interface Rules {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

const GREEDY: Rules = { temperature: 0, topK: 0, topP: 1, seed: 0 };

async function sample(logits: Float32Array, { temperature, topK, topP, seed }: Rules): Promise<number> {
  const { device } = await testGpu();
  const words = Uint32Array.of(1, 0, 0, 0, 0, seed, topK, 0, 0, 0, 0, 0);
  new Float32Array(words.buffer).set([temperature, topP], 7);
  const ids = emptyBuffer(device, 1);
  await runKernel(
    device,
    { module: 'sample', constants: { vocab: logits.length } },
    { step: upload(device, words), logits: upload(device, logits), ids },
    [1],
  );
  return (await download(device, ids))[0]!;
}

/** PCG's output permutation, as in shaders/sample.wesl. */
function uniformRandom(seed: number, id: number): number {
  const state = (Math.imul((seed ^ Math.imul(id, 0x9e3779b9)) >>> 0, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((((word >>> 22) ^ word) >>> 9) + 0.5) / 2 ** 23;
}

/** Ids that top-k and then top-p leave, equals at a threshold included. */
function kept(logits: Float32Array, { temperature, topK, topP }: Rules): number[] {
  let ids = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
  if (topK > 0 && topK < ids.length) {
    const least = logits[ids[topK - 1]!]!;
    ids = ids.filter((id) => logits[id]! >= least);
  }
  const weights = ids.map((id) => Math.exp((logits[id]! - logits[ids[0]!]!) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  const last = weights.findIndex((weight) => {
    sum += weight / total;
    return sum >= topP;
  });
  return last < 0 ? ids : ids.filter((id) => logits[id]! >= logits[ids[last]!]!);
}

function draw(logits: Float32Array, rules: Rules): number {
  const noisy = (id: number) =>
    logits[id]! / rules.temperature - Math.log(-Math.log(uniformRandom(rules.seed, id)));
  return kept(logits, rules).reduce((best, id) => (noisy(id) > noisy(best) ? id : best));
}

describe('greedy', () => {
  it.each([1, 3, 256, 300, 5000])('the largest of %i', async (vocab) => {
    const logits = randomFloats(vocab, vocab).map((v) => v * 8);
    const best = logits.indexOf(Math.max(...logits));
    expect(await sample(logits, GREEDY)).toBe(best);
  });

  it('the lowest id among equals, wherever they lie', async () => {
    const logits = new Float32Array(1000).fill(-5);
    for (const id of [999, 700, 513, 257]) logits[id] = 2;
    expect(await sample(logits, GREEDY)).toBe(257);
    expect(await sample(new Float32Array(600).fill(-1e4), GREEDY)).toBe(0);
  });
});

describe('drawing', () => {
  const logits = randomFloats(700, 9).map((v) => v * 6);
  // Some equals, so that thresholds fall among them.
  for (let id = 0; id < 40; id++) logits[id * 17] = logits[id * 17 + 1]!;

  it.each([
    { temperature: 1, topK: 0, topP: 1 },
    { temperature: 0.7, topK: 5, topP: 1 },
    { temperature: 1.3, topK: 0, topP: 0.6 },
    { temperature: 1, topK: 50, topP: 0.9 },
    { temperature: 1, topK: 1, topP: 1 },
    { temperature: 2, topK: 699, topP: 0.999 },
  ])('temperature $temperature, top-k $topK, top-p $topP', async (rules) => {
    const seeds = Array.from({ length: 12 }, (_, seed) => seed * 7919 + 1);
    const got: number[] = [];
    for (const seed of seeds) got.push(await sample(logits, { ...rules, seed }));
    expect(got).toEqual(seeds.map((seed) => draw(logits, { ...rules, seed })));
  });

  it('the largest random number there is still has finite noise', async () => {
    // Of these ids, some draw a hash whose top 24 bits are all ones; none of them may win by that alone.
    const flat = new Float32Array(60_000).fill(-50);
    flat[0] = 50;
    for (const seed of [0, 1, 2, 3]) expect(await sample(flat, { ...GREEDY, temperature: 1, seed })).toBe(0);
  });

  it('top-p 0 leaves the likeliest', async () => {
    expect(await sample(Float32Array.of(1, 3, 2), { ...GREEDY, temperature: 1, topP: 0, seed: 5 })).toBe(1);
  });

  it('follows the probabilities', async () => {
    const two = Float32Array.of(0, Math.log(3));
    let ones = 0;
    for (let seed = 0; seed < 200; seed++) ones += await sample(two, { ...GREEDY, temperature: 1, seed });
    // Binomial(200, 3/4): six standard deviations are 37.
    expect(Math.abs(ones - 150)).toBeLessThan(37);
  });
});
