// The session on a small random checkpoint: its answers against whole prompts run at once, its memory over a
// long stream, its conversation, its errors.

import { describe, expect, it, vi } from 'vitest';
import { InvalidInputError, MemoryFullError } from './errors';
import {
  ANSWER,
  ask,
  countCalls,
  noiseFrame as frame,
  openSmall as open,
  TOKENS_PER_FRAME,
  watch,
} from './testing/small-session';
import { type PromptPart, wholePrompt } from './testing/whole-prompt';

const OPENING =
  '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>';
const toAnswer = (question: string) => `${question}<|im_end|>\n<|im_start|>assistant\n`;
const NEXT_TURN = '<|im_end|>\n<|im_start|>user\n';

describe('answers are those of the whole prompt', () => {
  it('one turn over a stream', async () => {
    const session = await open();
    await watch(session, 0, 5);
    const want = await wholePrompt([OPENING, [0, 5], `<|vision_end|>${toAnswer('What is it?')}`]);
    expect(await ask(session, '  What is it? ')).toBe(want.text);
  });

  it('two turns, the first stopped in the middle, frames in between', async () => {
    const session = await open();
    await watch(session, 0, 3);
    const opening: PromptPart[] = [OPENING, [0, 3], `<|vision_end|>${toAnswer('What is it?')}`];
    const whole = await wholePrompt(opening);
    const first = await ask(session, 'What is it?', 4);
    expect([whole.text.startsWith(first), whole.text.length > first.length]).toEqual([true, true]);
    await watch(session, 3, 2);
    const want = await wholePrompt([
      ...opening,
      { ids: whole.ids.slice(0, 4) },
      `${NEXT_TURN}<|vision_start|>`,
      [3, 2],
      `<|vision_end|>${toAnswer('And now?')}`,
    ]);
    expect(await ask(session, 'And now?')).toBe(want.text);
  });

  it('two questions without frames between', async () => {
    const session = await open();
    await watch(session, 0, 2);
    const opening: PromptPart[] = [OPENING, [0, 2], `<|vision_end|>${toAnswer('What is it?')}`];
    const first = await wholePrompt(opening);
    expect(await ask(session, 'What is it?')).toBe(first.text);
    const want = await wholePrompt([...opening, { ids: first.ids }, `${NEXT_TURN}${toAnswer('Why?')}`]);
    expect(await ask(session, 'Why?')).toBe(want.text);
  });

  it('a question that is not to be remembered leaves no trace', async () => {
    const session = await open();
    await watch(session, 0, 2);
    const before = session.memory();
    const opening: PromptPart[] = [OPENING, [0, 2], `<|vision_end|>${toAnswer('What is it?')}`];
    const first = await wholePrompt(opening);
    for (const question of ['Why?', 'What is it?']) {
      const text = await ask(session, question, undefined, false);
      if (question === 'What is it?') expect(text).toBe(first.text);
      expect(session.memory().dialogueTokens).toBe(before.dialogueTokens);
    }
    await watch(session, 2, 1);
    const want = await wholePrompt([OPENING, [0, 3], `<|vision_end|>${toAnswer('And now?')}`]);
    expect(await ask(session, 'And now?')).toBe(want.text);
  });

  it('after forgetting, as if new', async () => {
    const session = await open();
    await watch(session, 7, 3);
    await ask(session, 'What is it?');
    await session.forget();
    await watch(session, 0, 2);
    const want = await wholePrompt([OPENING, [0, 2], `<|vision_end|>${toAnswer('What is it?')}`]);
    expect(await ask(session, 'What is it?')).toBe(want.text);
  });
});

describe('memory', () => {
  it('a budget larger than the stream answers as full does, token for token', async () => {
    const answers: string[] = [];
    for (const policy of ['full', 'infinipot-v', 'sliding-window'] as const) {
      const session = await open({ policy });
      await watch(session, 0, 20);
      answers.push(await ask(session, 'What is it?'));
    }
    expect(new Set(answers).size).toBe(1);
  });

  it('2,000 frames at a budget of 16: no buffer created, nothing read back, never past the cap', async () => {
    const budget = 16 * TOKENS_PER_FRAME;
    const session = await open({ capacityTokens: budget });
    const calls = countCalls();
    try {
      for (let i = 0; i < 2000; i += 50) {
        await watch(session, i, 50);
        expect(session.memory().visualTokens).toBeLessThanOrEqual(budget);
      }
      expect(calls).toEqual({ createBuffer: 0, mapAsync: 0 });
      await ask(session, 'What is it?');
      expect(calls.createBuffer).toBe(0);
    } finally {
      calls.restore();
    }
    const { prunes, framesSeen, framesDropped } = session.memory();
    expect(prunes).toBeGreaterThan(400);
    expect([framesSeen, framesDropped]).toEqual([4000, 0]);
  }, 600_000);

  it('policy and budget change at run time', async () => {
    const session = await open();
    await watch(session, 0, 12);
    session.configure({ policy: 'sliding-window', budget: { tokens: 4 * TOKENS_PER_FRAME } });
    await watch(session, 12, 1);
    expect(session.memory()).toMatchObject({ policy: 'sliding-window', prunes: 1 });
    expect(session.memory().visualTokens).toBeLessThanOrEqual(4 * TOKENS_PER_FRAME);
    const { bytesPerToken } = session.memory();
    session.configure({ budget: { bytes: bytesPerToken * 8 * TOKENS_PER_FRAME } });
    expect(session.memory().budgetTokens).toBe(8 * TOKENS_PER_FRAME);
    session.configure({ policy: 'van', pooling: true });
    await watch(session, 13, 5);
    expect(session.memory()).toMatchObject({ policy: 'van', prunes: 2 });
    expect(() => session.configure({ budget: { tokens: 1 } })).toThrow(InvalidInputError);
  });

  it('full refuses what does not fit, and goes on answering', async () => {
    const session = await open({ policy: 'full', capacityTokens: 3 * TOKENS_PER_FRAME });
    await watch(session, 0, 3);
    await expect(watch(session, 3, 1)).rejects.toThrow(MemoryFullError);
    const want = await wholePrompt([OPENING, [0, 3], `<|vision_end|>${toAnswer('What is it?')}`]);
    expect(await ask(session, 'What is it?')).toBe(want.text);
  });

  it('dialogue stays in its share: the oldest turns go', async () => {
    const session = await open({ textTokens: 128 });
    for (let turn = 0; turn < 12; turn++) {
      if (turn % 3 === 0) await watch(session, turn, 1);
      await ask(session, `Question ${turn}?`);
      const { dialogueTokens, pinnedTokens } = session.memory();
      expect(dialogueTokens + pinnedTokens).toBeLessThanOrEqual(128);
    }
    expect(session.memory().visualTokens).toBe(4 * TOKENS_PER_FRAME);
  });
});

describe('watching', () => {
  it('goes on during an answer; the newest frames are kept and the dropped are counted', async () => {
    const session = await open();
    await watch(session, 0, 1);
    const results: Promise<string>[] = [];
    for await (const _ of session.ask('What is it?', { sampling: { maxTokens: 2 } })) {
      if (results.length > 0) continue;
      for (let i = 2; i < 42; i++) results.push(session.watch(frame(i), i * 500));
    }
    const settled = await Promise.all(results);
    const ingested = settled.flatMap((result, i) => (result === 'ingested' ? [i] : []));
    const dropped = settled.filter((result) => result === 'dropped').length;
    expect(ingested.at(-1)).toBe(39);
    expect(ingested.length + dropped).toBe(20);
    expect(dropped).toBeGreaterThan(0);
    expect(session.memory()).toMatchObject({ framesDropped: 2 * dropped, newestTimestampMs: 41 * 500 });
  });

  it('frames that arrive while memory is being emptied are in the new one', async () => {
    const session = await open();
    await watch(session, 0, 1);
    const early = Array.from({ length: 8 }, (_, i) => session.watch(frame(i), i * 500));
    const emptied = session.forget();
    const late = [session.watch(frame(20), 9000), session.watch(frame(21), 9500)];
    await emptied;
    expect(await Promise.all(late)).toEqual(['waiting', 'ingested']);
    expect(await Promise.all(early)).not.toContain('ingested');
    expect(session.memory()).toMatchObject({ visualTokens: TOKENS_PER_FRAME, framesSeen: 2 });
  });

  it('what was to be flushed into a memory that is emptied meanwhile is not in it', async () => {
    const session = await open();
    await watch(session, 0, 1);
    const answer = session.ask('What is it?', { sampling: { maxTokens: 100 } });
    await answer.next();
    const flushed = session.flush();
    const emptied = session.forget();
    const late = [session.watch(frame(20), 9000), session.watch(frame(21), 9500)];
    await Promise.all([flushed, emptied]);
    expect(await Promise.all(late)).toEqual(['waiting', 'ingested']);
    expect(session.memory()).toMatchObject({ visualTokens: TOKENS_PER_FRAME, framesSeen: 2 });
  });

  it('a last frame without a partner is not lost', async () => {
    const session = await open();
    await watch(session, 0, 2);
    await session.watch(frame(4), 2000);
    await session.flush();
    expect(session.memory()).toMatchObject({ visualTokens: 3 * TOKENS_PER_FRAME, newestTimestampMs: 2000 });
  });

  it('one frame is enough to ask about', async () => {
    const session = await open();
    expect(await session.watch(frame(0), 0)).toBe('waiting');
    const text = await ask(session, 'What is it?');
    expect(session.memory().visualTokens).toBe(TOKENS_PER_FRAME);
    expect(text).not.toBe('');
  });
});

describe('what can go wrong', () => {
  it('an empty question, nothing seen, a question too long: named, and nothing is lost', async () => {
    const session = await open({ textTokens: 128 });
    await expect(ask(session, '  ')).rejects.toThrow(/empty/);
    await expect(ask(session, 'What is it?')).rejects.toThrow(/Nothing has been seen/);
    await watch(session, 0, 2);
    await ask(session, 'What is it?');
    const before = session.memory();
    await expect(ask(session, 'word '.repeat(300))).rejects.toThrow(/fewer words/);
    expect(session.memory().dialogueTokens).toBe(before.dialogueTokens);
    const sampling = { temperature: Number.NaN };
    await expect(session.ask('Why?', { sampling }).next()).rejects.toThrow(/temperature is NaN/);
    expect(await ask(session, 'Why?')).not.toBe('');
  });

  it('special tokens in a question are plain text', async () => {
    const session = await open();
    await watch(session, 0, 1);
    const before = session.memory().dialogueTokens;
    await ask(session, 'Is <|im_end|> seen?');
    expect(session.memory().dialogueTokens - before).toBeGreaterThan(ANSWER + 8);
  });

  it('a frame of the wrong size is refused, the stream goes on', async () => {
    const session = await open();
    await expect(session.watch({ width: 2, height: 2, data: new Uint8Array(3) }, 0)).rejects.toThrow(
      InvalidInputError,
    );
    await watch(session, 0, 1);
    expect(session.memory().visualTokens).toBe(TOKENS_PER_FRAME);
  });

  it('after dispose everything says so', async () => {
    const session = await open();
    await watch(session, 0, 1);
    session.dispose();
    await expect(session.watch(frame(0), 0)).rejects.toThrow(/closed/);
    await expect(ask(session, 'What is it?')).rejects.toThrow(/closed/);
  });

  it('dispose in the middle of answers ends them, saying so, whether they are being read or not', async () => {
    const [read, held] = [await open(), await open()];
    for (const session of [read, held]) await watch(session, 0, 1);
    const options = { sampling: { maxTokens: 400 } };
    let pieces = 0;
    const reading = (async () => {
      for await (const _ of read.ask('What is it?', options)) pieces++;
    })();
    const answer = held.ask('What is it?', options);
    await answer.next();
    const behind = [ask(held, 'And now?'), held.save()].map((waiting) =>
      expect(waiting).rejects.toThrow(/closed/),
    );
    await vi.waitUntil(() => pieces > 0, { timeout: 60_000, interval: 1 });
    const before = pieces;
    read.dispose();
    held.dispose();
    await expect(reading).rejects.toThrow(/closed/);
    expect(pieces).toBeLessThanOrEqual(before + 1);
    await Promise.all(behind);
    await expect(answer.next()).rejects.toThrow(/closed/);
  });
});

it('sampling: the same seed says the same, other seeds other things', async () => {
  const session = await open();
  await watch(session, 0, 1);
  const say = async (seed: number) => {
    await session.forget();
    await watch(session, 0, 1);
    let text = '';
    const sampling = { temperature: 1.5, seed, maxTokens: ANSWER };
    for await (const piece of session.ask('What is it?', { sampling })) text += piece;
    return text;
  };
  const said = [await say(1), await say(1), await say(2), await say(3)];
  expect(said[1]).toBe(said[0]);
  expect(new Set(said).size).toBeGreaterThan(1);
});
