// Random sessions, each beside a twin to which things happen that should change no answer: what both say is the same, and
// so is what they hold. A sequence has a seed of its own, which a failure names: run it alone by setting FIRST and
// SEQUENCES.

import { expect, it } from 'vitest';
import type { PolicyName, Session, TarKeys } from './contract';
import { sequences } from './gpu/testing/harness';
import { randomWords } from './memory/testing/random-rows';
import { ask, held, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';

const FIRST = 1;
/** Of each of four kinds of session. */
const SEQUENCES = await sequences(128);

/** Tokens of an answer. */
const ANSWER = 4;

/** Of one layer, for speed: of a family whose frames follow each other, and of one that writes a time before each. */
const FRAMES_ALONE = { fixture: 'gqa1-hd32-f32', frame: { width: 84, height: 56 } };
const TIMES_WRITTEN = { fixture: 'qwen3-gqa3-hd40', frame: { width: 96, height: 64 } };

/** One thing a random session does; frames may come while the answer before them is being written. */
type Act =
  | { readonly kind: 'watch'; readonly first: number; readonly count: number }
  | { readonly kind: 'ask'; readonly question: string; readonly stopAfter: number }
  | {
      readonly kind: 'configure';
      readonly policy: PolicyName;
      readonly tarKeys: TarKeys;
      readonly frames: number;
    };

const QUESTIONS = ['What is it?', 'Why?', 'And now?'];
const POLICIES: readonly PolicyName[] = ['infinipot-v', 'tar', 'sliding-window', 'random', 'uniform'];

function randomActs(random: () => number): Act[] {
  let seen = 2;
  const acts: Act[] = [{ kind: 'watch', first: 0, count: seen }];
  for (let i = 0; i < 3; i++) {
    const chance = random() % 8;
    if (chance < 4) {
      const stopAfter = random() % 2 === 0 ? 1 + (random() % (ANSWER - 1)) : ANSWER;
      acts.push({ kind: 'ask', question: QUESTIONS[random() % QUESTIONS.length]!, stopAfter });
    }
    if (chance > 5) {
      const policy = POLICIES[random() % POLICIES.length]!;
      const tarKeys = random() % 2 === 0 ? 'unrotated' : 'cached';
      acts.push({ kind: 'configure', policy, tarKeys, frames: 2 + (random() % 3) });
    }
    const count = 1 + (random() % 2);
    acts.push({ kind: 'watch', first: seen, count });
    seen += count;
  }
  return [...acts, { kind: 'ask', question: 'What is it?', stopAfter: ANSWER }];
}

/** Does one thing. @returns what was said. */
async function act(session: Session, one: Act): Promise<string> {
  if (one.kind === 'watch') await watch(session, one.first, one.count);
  if (one.kind === 'configure') {
    const { policy, tarKeys, frames } = one;
    session.configure({ policy, tarKeys, budget: { tokens: frames * TOKENS_PER_FRAME } });
  }
  return one.kind === 'ask' ? ask(session, one.question, one.stopAfter, true, ANSWER) : '';
}

/**
 * Does something that must leave no trace.
 * @param rebased without the question that is not remembered: room made for it by a rebase stays.
 */
async function disturb(session: Session, random: () => number, rebased: boolean): Promise<string> {
  switch (rebased ? 1 + (random() % 4) : random() % 5) {
    case 0:
      await ask(session, 'Who asks?', 1 + (random() % ANSWER), false, ANSWER);
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
      await watch(session, 60, 2);
      await ask(session, 'Who asks?', 2, true, ANSWER);
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

/** Does all of it, one after the other. @returns what was said. */
async function live(session: Session, acts: readonly Act[]): Promise<string[]> {
  const said: string[] = [];
  for (const one of acts) said.push(await act(session, one));
  return said;
}

/** Does the same with disturbances between, and with frames that come while an answer is being written, and wait. */
async function liveDisturbed(
  session: Session,
  acts: readonly Act[],
  random: () => number,
  rebased: boolean,
): Promise<{ said: string[]; done: string[]; disturbances: number }> {
  const said: string[] = [];
  const done: string[] = [];
  let disturbances = 0;
  for (let i = 0; i < acts.length; i++) {
    if (i > 0 && random() % 4 === 0) {
      done.push(await disturb(session, random, rebased));
      disturbances++;
    }
    const [one, next] = [acts[i]!, acts[i + 1]];
    done.push(JSON.stringify(one));
    if (one.kind === 'ask' && next?.kind === 'watch') {
      done.push('with the next');
      said.push(...(await Promise.all([act(session, one), act(session, next)])));
      i++;
    } else said.push(await act(session, one));
  }
  return { said, done, disturbances };
}

it.each([
  ['within the trained range', FRAMES_ALONE, undefined],
  ['rebased', FRAMES_ALONE, 72],
  ['times written, within the trained range', TIMES_WRITTEN, undefined],
  ['times written, rebased', TIMES_WRITTEN, 128],
] as const)(
  `${SEQUENCES} random sessions say the same when disturbed: %s`,
  async (_, { fixture, frame }, trainedPositions) => {
    const capacityTokens = 4 * TOKENS_PER_FRAME;
    const memory = { capacityTokens, textTokens: 384 };
    const open = () => openSmall(memory, { trainedPositions, frame }, fixture);
    const [plain, disturbed] = await Promise.all([open(), open()]);
    const totals = { prunes: 0, rebases: 0, disturbances: 0 };
    for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) {
      const random = randomWords(seed);
      const acts = randomActs(random);
      for (const session of [plain, disturbed]) {
        await session.forget();
        session.configure({ policy: 'infinipot-v', tarKeys: 'cached', budget: { tokens: capacityTokens } });
      }
      const [want, { said, done, disturbances }] = await Promise.all([
        live(plain, acts),
        liveDisturbed(disturbed, acts, random, trainedPositions !== undefined),
      ]);
      const log = `seed ${seed}: ${done.join(', ')}`;
      expect(said, log).toEqual(want);
      expect(held(disturbed.memory()), log).toEqual(held(plain.memory()));
      totals.prunes += plain.memory().prunes;
      totals.rebases += plain.memory().rebases;
      totals.disturbances += disturbances;
    }
    console.log(JSON.stringify(totals));
    expect(totals.prunes).toBeGreaterThan(SEQUENCES);
    expect(totals.disturbances).toBeGreaterThan(SEQUENCES);
    if (trainedPositions) expect(totals.rebases).toBeGreaterThanOrEqual(SEQUENCES / 2);
  },
  1_200_000,
);
