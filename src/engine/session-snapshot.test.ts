// Saving and restoring: what is said after restoring is what would have been said without, token for token; and
// what cannot be restored changes nothing.

import { describe, expect, it } from 'vitest';
import type { Session } from './contract';
import { SnapshotError } from './errors';
import { randomWords } from './memory/testing/random-rows';
import { newSnapshot, openSnapshot } from './snapshot-format';
import {
  ask,
  countCalls,
  held,
  noiseFrame,
  openSmall,
  TOKENS_PER_FRAME,
  watch,
} from './testing/small-session';

/** A memory small enough to prune within a few frames, and to let go of turns. */
const SMALL = { capacityTokens: 6 * TOKENS_PER_FRAME, textTokens: 128 };

/** Positions so few that a stream rebases every few turns. */
const FEW_POSITIONS = { trainedPositions: 128 };

/** What is said from here on, with frames between. */
async function goOn(session: Session): Promise<unknown[]> {
  const said: unknown[] = [await ask(session, 'What is it?')];
  await watch(session, 40, 3);
  said.push(await ask(session, 'And now?', 4));
  await watch(session, 50, 9);
  said.push(await ask(session, 'Why?'));
  return [...said, held(session.memory())];
}

/** What came before saving; the first four frames of a video are there already. */
const STORIES: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
  'frames only': async () => {},
  'prunes, by two policies': async (session) => {
    await watch(session, 4, 20);
    session.configure({ policy: 'sliding-window', budget: { tokens: 3 * TOKENS_PER_FRAME } });
    await watch(session, 24, 5);
  },
  'turns, of which the oldest were dropped': async (session) => {
    for (let turn = 0; turn < 6; turn++) {
      await ask(session, `Question ${turn}?`);
      if (turn % 2 === 1) await watch(session, 4 + turn, 1);
    }
  },
  'an answer that was stopped': (session) => ask(session, 'What is it?', 3),
  'a question that left no trace': (session) => ask(session, 'What is it?', 3, false),
  'nothing but the opening': (session) => session.forget(),
};

describe('what is said after restoring is what would have been said', () => {
  for (const [story, live] of Object.entries(STORIES)) {
    it(`after ${story}`, async () => {
      const session = await openSmall(SMALL, FEW_POSITIONS);
      await watch(session, 0, 4);
      await live(session);
      const before = held(session.memory());
      const saved = await session.save();
      expect(held(session.memory())).toEqual(before);
      const fresh = await openSmall(SMALL, FEW_POSITIONS);
      if (before.visualTokens === 0) {
        await watch(session, 4, 1);
      }
      const said = await goOn(session);
      expect(session.memory().rebases).toBeGreaterThan(0);
      for (const [where, other] of Object.entries({ same: session, fresh })) {
        await other.restore(saved);
        expect(held(other.memory()), where).toEqual(before);
        if (before.visualTokens === 0) await watch(other, 4, 1);
        expect(await goOn(other), where).toEqual(said);
      }
    });
  }

  it('creates no buffer, and reads in pieces', async () => {
    const session = await openSmall();
    await watch(session, 0, 64);
    const calls = countCalls();
    try {
      const saved = await session.save();
      expect(calls.createBuffer).toBe(0);
      expect(calls.mapAsync).toBe(Math.ceil(saved.length / (512 * 1024)));
      await session.restore(saved);
      expect(calls.createBuffer).toBe(0);
    } finally {
      calls.restore();
    }
  });

  it('drops frames that wait, and takes those that come later into the restored memory', async () => {
    const session = await openSmall();
    await watch(session, 0, 2);
    const saved = await session.save();
    const want = await ask(session, 'What is it?', undefined, false);
    await watch(session, 2, 3);
    const answer = session.ask('What is it?');
    await answer.next();
    const waiting = watch(session, 10, 1);
    // Though nobody reads the answer on.
    await Promise.all([waiting, session.restore(saved)]);
    expect((await answer.next()).done).toBe(true);
    expect(session.memory()).toMatchObject({ visualTokens: 2 * TOKENS_PER_FRAME, framesSeen: 4, queued: 0 });
    expect(await ask(session, 'What is it?')).toBe(want);
  });

  it('changes counts and memory together', async () => {
    const session = await openSmall();
    await watch(session, 0, 2);
    const saved = await session.save();
    await watch(session, 2, 3);
    const before = session.memory();
    // Restoring waits for its turn behind these; all but the one under way are dropped then.
    const waiting = [10, 11, 12, 13].map((i) => session.watch(noiseFrame(i), 9000 + i));
    const seen = new Set<string>();
    const restored = session.restore(saved).finally(() => clearInterval(timer));
    const timer = setInterval(() => {
      const { framesSeen, newestTimestampMs } = session.memory();
      seen.add(`${framesSeen} ${newestTimestampMs}`);
    });
    await Promise.all([...waiting, restored]);
    const { framesSeen, newestTimestampMs } = session.memory();
    expect([framesSeen, newestTimestampMs]).toEqual([4, 1500]);
    const old = [before.newestTimestampMs, 9011, 9013].map((time) => `${before.framesSeen + 4} ${time}`);
    expect([...old, '4 1500']).toEqual(expect.arrayContaining([...seen]));
  });

  it('takes along how many frames were dropped, and counts on', async () => {
    const session = await openSmall();
    await watch(session, 0, 1);
    const flood = Array.from({ length: 40 }, (_, i) => session.watch(noiseFrame(i), 1000 + i));
    await Promise.all(flood);
    const { framesDropped, framesSeen } = session.memory();
    expect(framesDropped).toBeGreaterThan(0);
    const saved = await session.save();
    const fresh = await openSmall();
    await fresh.restore(saved);
    await watch(fresh, 40, 1);
    expect(fresh.memory()).toMatchObject({ framesDropped, framesSeen: framesSeen + 2 });
    await fresh.forget();
    expect(fresh.memory()).toMatchObject({ framesDropped: 0, framesSeen: 0 });
  });
});

describe('what cannot be restored is refused, and memory is as it was', () => {
  async function refuse(session: Session, bytes: Uint8Array<ArrayBuffer>, message: RegExp): Promise<void> {
    const error = await session.restore(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SnapshotError);
    expect((error as Error).message).toMatch(message);
  }

  it('bytes that are no snapshot, of another version, cut short, changed', async () => {
    const session = await openSmall(SMALL);
    await watch(session, 0, 3);
    const saved = await session.save();
    await ask(session, 'What is it?');
    const before = held(session.memory());
    const want = await ask(session, 'Why?', undefined, false);

    const changed = (change: (bytes: Uint8Array<ArrayBuffer>) => void) => {
      const bytes = saved.slice();
      change(bytes);
      return bytes;
    };
    await refuse(session, new Uint8Array(), /not a saved memory/);
    await refuse(session, new TextEncoder().encode('{"some": "file"}'), /not a saved memory/);
    const version = (v: number) => changed((bytes) => new DataView(bytes.buffer).setUint32(8, v, true));
    await refuse(session, version(6), /newer Ringside \(format 6; this one reads 5\)\. Update/);
    await refuse(session, version(4), /older Ringside/);
    for (const length of [8, 23, 24, 200, saved.length - 33, saved.length - 1]) {
      await refuse(session, saved.slice(0, length), /cut short or damaged: it has \d+ bytes of \d+/);
    }
    await refuse(session, new Uint8Array([...saved, 0]), /damaged/);
    // One bit in the lengths, the header, the payload, the checksum.
    const random = randomWords(5);
    const places = [12, 16, 23, 24, 60, saved.length - 1, ...Array.from({ length: 40 }, () => random())];
    for (const place of places) {
      const flipped = changed((bytes) => {
        bytes[12 + ((place - 12) % (bytes.length - 12))]! ^= 1 << (random() % 8);
      });
      await refuse(session, flipped, /damaged/);
    }

    const { header, payload } = await openSnapshot(saved);
    const newer = structuredClone(header) as { ring: { retention: { policy: string } } };
    newer.ring.retention.policy = 'some later one';
    const draft = newSnapshot(newer, payload.length);
    draft.payload.set(payload);
    await refuse(session, await draft.seal(), /under the policy 'some later one'.*Update/);

    expect(held(session.memory())).toEqual(before);
    expect(await ask(session, 'Why?', undefined, false)).toBe(want);
    await session.restore(saved);
  });

  it('another model, and the same with other sizes', async () => {
    const session = await openSmall(SMALL);
    await watch(session, 0, 3);
    const want = await ask(session, 'Why?', undefined, false);
    const before = held(session.memory());
    const others: readonly [Promise<Session>, RegExp][] = [
      [openSmall(SMALL, {}, 'gqa1-hd32-f32'), /Load Ringside fixture gqa1-hd32-f32, then restore/],
      [openSmall({ ...SMALL, textTokens: 192 }), /of text.*Load it with the former/],
      [openSmall({ ...SMALL, capacityTokens: 7 * TOKENS_PER_FRAME }), /room for 42 visual tokens/],
      [openSmall(SMALL, { frame: { width: 56, height: 84 } }), /frames of 2 × 3 tokens/],
      [openSmall(SMALL, FEW_POSITIONS), /, 128 trained positions and .*, 2048 trained positions and /],
    ];
    for (const [opening, message] of others) {
      const other = await opening;
      await watch(other, 0, 2);
      await refuse(session, await other.save(), message);
    }
    expect(held(session.memory())).toEqual(before);
    expect(await ask(session, 'Why?', undefined, false)).toBe(want);
  });
});
