// A long conversation over a long stream, and forgetting in the middle of things.

import { expect, it, vi } from 'vitest';
import { ask, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';

it('100 turns: text and frames stay in their shares, and the oldest turn leaves whole', async () => {
  const budget = 6 * TOKENS_PER_FRAME;
  // Together a multiple of 64, or text would get what is left to the next one.
  const text = 192 - budget;
  const session = await openSmall({ textTokens: text, capacityTokens: budget });
  // Frames before every question, and answers that end at their limit: all turns are of one length.
  const sizes: number[] = [];
  for (let turn = 0; turn < 100; turn++) {
    await watch(session, turn, 1);
    await ask(session, 'What is it?');
    const { visualTokens, dialogueTokens, pinnedTokens } = session.memory();
    expect(visualTokens).toBeLessThanOrEqual(budget);
    expect(pinnedTokens + dialogueTokens).toBeLessThanOrEqual(text);
    sizes.push(dialogueTokens);
  }
  const [first, second] = sizes as [number, number];
  const turns = sizes.map((size) => 1 + (size - first) / (second - first));
  const most = Math.max(...turns);
  expect(turns.slice(0, most)).toEqual(Array.from({ length: most }, (_, i) => i + 1));
  // One comes and one goes.
  expect(new Set(turns.slice(most))).toEqual(new Set([most]));
  expect(most).toBeGreaterThan(2);
  expect(session.memory()).toMatchObject({ framesSeen: 200, framesDropped: 0 });
}, 600_000);

it('forgetting while an answer runs and frames wait leaves nothing of them', async () => {
  const session = await openSmall();
  await watch(session, 0, 3);
  const want = await ask(session, 'What is it?', undefined, false);
  await watch(session, 3, 2);
  const answer = session.ask('Why?', { sampling: { maxTokens: 100 } });
  await answer.next();
  const waiting = Array.from({ length: 7 }, (_, i) => session.watch(noiseFrame(i), 9000 + i));
  const forgotten = session.forget();
  // The counts are those of the memory there is, until it is another.
  expect(session.memory()).toMatchObject({ queued: 0, framesSeen: 17, visualTokens: 5 * TOKENS_PER_FRAME });
  // What waits is dropped at once; the seventh frame has no partner to wait with.
  const results = await Promise.all(waiting);
  expect(results.filter((result) => result === 'dropped')).toHaveLength(3);
  expect(results).not.toContain('ingested');
  // Though nobody reads the answer on.
  await forgotten;
  expect((await answer.next()).done).toBe(true);
  const { pinnedTokens, ...memory } = session.memory();
  expect(memory).toMatchObject({ ...EMPTY, prunes: 0, newestTimestampMs: -1 });
  await watch(session, 0, 3);
  expect(await ask(session, 'What is it?')).toBe(want);
});

/** What memory reports once forgotten. */
const EMPTY = { visualTokens: 0, dialogueTokens: 0, framesSeen: 0, framesDropped: 0 };

it('forgetting ends a long answer that is being read, and the question behind it', async () => {
  const session = await openSmall();
  await watch(session, 0, 3);
  let pieces = 0;
  const answer = session.ask('What is it?', { sampling: { maxTokens: 400 } });
  const reading = (async () => {
    for await (const _ of answer) pieces++;
  })();
  const behind = ask(session, 'And now?');
  await vi.waitUntil(() => pieces >= 3, { timeout: 60_000, interval: 1 });
  const before = pieces;
  await session.forget();
  expect(session.memory()).toMatchObject(EMPTY);
  await reading;
  // The one that was being read when it was forgotten.
  expect(pieces).toBeLessThanOrEqual(before + 1);
  expect(await behind).toBe('');
  await expect(ask(session, 'What is it?')).rejects.toThrow(/Nothing has been seen/);
});

it('whoever reads an answer may forget in the middle of it', async () => {
  const session = await openSmall();
  await watch(session, 0, 3);
  let pieces = 0;
  for await (const _ of session.ask('What is it?', { sampling: { maxTokens: 400 } })) {
    if (++pieces === 3) await session.forget();
  }
  expect(pieces).toBe(3);
  expect(session.memory()).toMatchObject(EMPTY);
});
