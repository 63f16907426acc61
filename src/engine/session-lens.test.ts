// The session's lens: whatever is held is in it, it disturbs nothing, and it goes with memory.

import { expect, it } from 'vitest';
import type { MemoryLens } from './contract';
import { ask, countCalls, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';

const SMALL = { capacityTokens: 6 * TOKENS_PER_FRAME };

function heldIn({ moments }: MemoryLens): number {
  return moments.reduce((sum, { held, heldBetween }) => held.reduce((a, b) => a + b, sum + heldBetween), 0);
}

it('tells when each moment was, and of all that is held; what is new is whole, what is old mostly gone', async () => {
  const session = await openSmall(SMALL);
  expect((await session.lens()).moments).toEqual([]);
  await watch(session, 0, 20);
  await ask(session, 'What is it?');
  await watch(session, 20, 60);
  const calls = countCalls();
  const lens = await session.lens();
  calls.restore();
  expect(calls).toEqual({ createBuffer: 0, mapAsync: 1 });
  const { heads, rows, columns, moments } = lens;
  expect(rows * columns).toBe(TOKENS_PER_FRAME);
  expect(heldIn(lens)).toBe(session.memory().visualTokens * heads);
  expect(moments).toHaveLength(64);
  expect(moments[0]).toMatchObject({ frame: 0, timestampMs: 0 });
  // Pairs of frames, half a second apart.
  for (const { frame, timestampMs } of moments) expect(timestampMs).toBe(frame * 1000);
  expect(moments.at(-1)!.frame).toBe(79);
  expect([...moments.at(-1)!.held]).toEqual(Array(TOKENS_PER_FRAME).fill(heads));
  const old = moments.slice(0, 40).flatMap(({ held }) => [...held]);
  expect(Math.max(...old)).toBeLessThanOrEqual(heads);
  expect(old.filter((count) => count === 0).length).toBeGreaterThan(old.length / 2);
});

it('waits for an answer, not for its reader, and several looks for each other', async () => {
  const session = await openSmall(SMALL);
  await watch(session, 0, 3);
  const answer = session.ask('What is it?');
  await answer.next();
  let looked = false;
  const looks = Promise.all([session.lens(), session.lens()]).finally(() => {
    looked = true;
  });
  await answer.next();
  expect(looked).toBe(false);
  const watched = watch(session, 3, 1);
  await answer.return();
  const [one, other] = await looks;
  await watched;
  // As they were when their turn came, though a frame came in while they were read.
  expect(one.moments.map(({ held }) => held.length)).toEqual(Array(3).fill(TOKENS_PER_FRAME));
  expect(other).toEqual(one);
  expect((await session.lens()).moments).toHaveLength(4);
});

it('is saved and restored with memory, and empty when all is forgotten', async () => {
  const session = await openSmall(SMALL);
  await watch(session, 0, 70);
  const before = await session.lens();
  const saved = await session.save();
  const fresh = await openSmall(SMALL);
  await fresh.restore(saved);
  expect(await fresh.lens()).toEqual(before);
  for (const each of [session, fresh]) await watch(each, 70, 9);
  expect(await fresh.lens()).toEqual(await session.lens());
  await session.forget();
  expect((await session.lens()).moments).toEqual([]);
  await session.watch(noiseFrame(1), 99_000);
  await session.flush();
  const { moments, heads } = await session.lens();
  expect(moments.map(({ frame, timestampMs }) => [frame, timestampMs])).toEqual([[0, 99_000]]);
  expect([...moments[0]!.held]).toEqual(Array(TOKENS_PER_FRAME).fill(heads));
});
