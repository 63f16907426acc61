// A long conversation over a long stream, forgetting in the middle of things, and random sessions: what should not
// change an answer does not.

import { expect, it, vi } from 'vitest';
import type { PolicyName, Session } from './contract';
import { randomWords } from './memory/testing/random-rows';
import { ANSWER, ask, held, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';

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

/** One thing a random session does; frames may come while the answer before them is being written. */
type Act =
  | { readonly kind: 'watch'; readonly first: number; readonly count: number }
  | { readonly kind: 'ask'; readonly question: string; readonly stopAfter: number }
  | { readonly kind: 'configure'; readonly policy: PolicyName; readonly frames: number };

const QUESTIONS = ['What is it?', 'Why?', 'And now, after all that?'];
const RANDOM_POLICIES: readonly PolicyName[] = ['infinipot-v', 'sliding-window', 'random', 'uniform'];

function randomActs(random: () => number): Act[] {
  let seen = 3;
  const acts: Act[] = [{ kind: 'watch', first: 0, count: 3 }];
  for (let i = 0; i < 5; i++) {
    const chance = random() % 8;
    if (chance < 4) {
      const stopAfter = random() % 2 === 0 ? 1 + (random() % 6) : ANSWER;
      acts.push({ kind: 'ask', question: QUESTIONS[random() % QUESTIONS.length]!, stopAfter });
    }
    if (chance === 7) {
      const policy = RANDOM_POLICIES[random() % RANDOM_POLICIES.length]!;
      acts.push({ kind: 'configure', policy, frames: 2 + (random() % 6) });
    }
    const count = 1 + (random() % 4);
    acts.push({ kind: 'watch', first: seen, count });
    seen += count;
  }
  return [...acts, { kind: 'ask', question: 'What is it?', stopAfter: ANSWER }];
}

/** Does one thing. @returns what was said. */
async function act(session: Session, one: Act): Promise<string> {
  if (one.kind === 'watch') await watch(session, one.first, one.count);
  if (one.kind === 'configure') {
    session.configure({ policy: one.policy, budget: { tokens: one.frames * TOKENS_PER_FRAME } });
  }
  return one.kind === 'ask' ? ask(session, one.question, one.stopAfter) : '';
}

/**
 * Does something that must leave no trace.
 * @param rebased without the question that is not remembered: room made for it by a rebase stays.
 */
async function disturb(session: Session, random: () => number, rebased: boolean): Promise<string> {
  switch (rebased ? 1 + (random() % 4) : random() % 5) {
    case 0:
      await ask(session, 'Who asks?', 1 + (random() % ANSWER), false);
      return 'unremembered';
    case 1: {
      const stop = new AbortController();
      stop.abort();
      for await (const _ of session.ask('Who asks?', { signal: stop.signal })) throw new Error('It answers');
      return 'aborted before its turn';
    }
    case 2:
      await session.save();
      return 'saved';
    case 3: {
      const saved = await session.save();
      if (random() % 2 === 0) await session.forget();
      await watch(session, 60, 4);
      await ask(session, 'Who asks?', 3);
      session.configure({ policy: 'sliding-window', budget: { tokens: 2 * TOKENS_PER_FRAME } });
      await session.restore(saved);
      return 'saved and restored';
    }
    default:
      session.memory();
      await session.flush();
      return 'nothing to flush';
  }
}

const FIRST = 1;
const SEQUENCES = 10;

it.each([
  ['within the trained range', undefined],
  ['rebased', 72],
])(
  `${SEQUENCES} random sessions say the same when disturbed: %s`,
  async (_, trainedPositions) => {
    const memory = { capacityTokens: 8 * TOKENS_PER_FRAME, textTokens: 512 };
    const open = () => openSmall(memory, { trainedPositions });
    const [plain, disturbed] = await Promise.all([open(), open()]);
    let rebases = 0;
    const fresh = { policy: 'infinipot-v', budget: { tokens: memory.capacityTokens } } as const;
    for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) {
      const random = randomWords(seed);
      const acts = randomActs(random);
      for (const session of [plain, disturbed]) {
        await session.forget();
        session.configure(fresh);
      }
      const want: string[] = [];
      for (const one of acts) want.push(await act(plain, one));
      const said: string[] = [];
      const done: string[] = [];
      for (let i = 0; i < acts.length; i++) {
        if (i > 0 && random() % 2 === 0)
          done.push(await disturb(disturbed, random, trainedPositions !== undefined));
        const [one, next] = [acts[i]!, acts[i + 1]];
        done.push(JSON.stringify(one));
        if (one.kind === 'ask' && next?.kind === 'watch') {
          // The frames come while the answer is being written, and wait.
          done.push('with the next');
          const [text] = await Promise.all([act(disturbed, one), act(disturbed, next)]);
          said.push(text, '');
          i++;
        } else said.push(await act(disturbed, one));
      }
      const log = `seed ${seed}: ${done.join(', ')}`;
      expect(said, log).toEqual(want);
      expect(held(disturbed.memory()), log).toEqual(held(plain.memory()));
      rebases += plain.memory().rebases;
    }
    if (trainedPositions) expect(rebases).toBeGreaterThanOrEqual(SEQUENCES / 2);
  },
  600_000,
);
