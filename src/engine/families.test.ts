// Every family in a session, on a small random checkpoint: what it says while nothing is pruned against whole prompts
// run at once, and a stream far past the budget and the trained positions.

import { describe, expect, it } from 'vitest';
import { FAMILIES } from './models';
import { ask, FRAME, held, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';
import { type PromptPart, wholePrompt } from './testing/whole-prompt';

const USER = '<|im_start|>user\n';
const ASSISTANT = '<|im_end|>\n<|im_start|>assistant\n';
const NEXT_TURN = '<|im_end|>\n';

/** A checkpoint of a family, the size of frames it takes, and how it writes a conversation about video. */
interface Manner {
  readonly fixture: string;
  readonly frame: { readonly width: number; readonly height: number };
  readonly opening: string;
  /** Temporal patches of the stream, a second each. */
  readonly video: (first: number, count: number) => PromptPart[];
}

const oneVideo: Pick<Manner, 'frame' | 'opening' | 'video'> = {
  frame: FRAME,
  opening: '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n',
  video: (first, count) => ['<|vision_start|>', [first, count], '<|vision_end|>'],
};

const MANNERS: Readonly<Record<string, Manner>> = {
  'Qwen2-VL': { ...oneVideo, fixture: 'wllama' },
  'Qwen2.5-VL': { ...oneVideo, fixture: 'qwen2.5-gqa2-hd32' },
  'Qwen3-VL': {
    fixture: 'qwen3-gqa2-hd32',
    frame: { width: 96, height: 64 },
    opening: '',
    video: (first, count) =>
      Array.from({ length: count }, (_, i): PromptPart[] => [
        `<${first + i}.2 seconds><|vision_start|>`,
        [first + i, 1],
        '<|vision_end|>',
      ]).flat(),
  },
};

/** Neighbouring texts as one, so that they are encoded as one. */
function joined(parts: readonly PromptPart[]): PromptPart[] {
  const result: PromptPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (typeof part === 'string' && typeof last === 'string') result[result.length - 1] = last + part;
    else result.push(part);
  }
  return result;
}

describe.each(FAMILIES.map(({ name }) => name))('%s', { timeout: 600_000 }, (family) => {
  const { fixture, frame, opening, video } = MANNERS[family]!;

  it('answers as after the whole prompt: a turn, frames, another turn', async () => {
    const session = await openSmall({}, { frame }, fixture);
    await watch(session, 0, 5);
    const turn = [opening, USER, ...video(0, 5), 'What is it?', ASSISTANT];
    const first = await wholePrompt(joined(turn), { fixture, frame });
    expect(await ask(session, 'What is it?')).toBe(first.text);
    await watch(session, 5, 2);
    const turns = [...turn, first, NEXT_TURN, USER, ...video(5, 2), 'And now?', ASSISTANT];
    const next = await wholePrompt(joined(turns), { fixture, frame });
    expect(await ask(session, 'And now?')).toBe(next.text);
  });

  it('goes on from a saved memory with a source that begins at 0 again', async () => {
    const [whole, cut] = [await openSmall({}, { frame }, fixture), await openSmall({}, { frame }, fixture)];
    await watch(whole, 0, 8);
    await cut.restore(await whole.save());
    for (let i = 0; i < 12; i++) {
      await whole.watch(noiseFrame(16 + i), 500 * (16 + i));
      await cut.watch(noiseFrame(16 + i), 500 * i);
    }
    const { newestTimestampMs, ...memory } = held(whole.memory());
    expect(held(cut.memory())).toEqual({ ...memory, newestTimestampMs: 5500 });
    expect(await ask(cut, 'What is it?')).toBe(await ask(whole, 'What is it?'));
  });

  it('streams past the budget and the trained positions', async () => {
    const memory = { capacityTokens: 16 * TOKENS_PER_FRAME };
    const session = await openSmall(memory, { frame, trainedPositions: 160 }, fixture);
    let timestampMs = 0;
    let said = '';
    for (let turn = 0; turn < 4; turn++) {
      // Frames that come as they like, with a pause longer than all positions.
      for (let i = 0; i < 60; i++) {
        timestampMs += i === 30 ? 600_000 : 300 + 100 * ((i * i) % 7);
        await session.watch(noiseFrame(i), timestampMs);
        expect(session.memory().newestPosition).toBeLessThan(160);
      }
      said += await ask(session, `Question ${turn}?`);
    }
    expect(said).not.toBe('');
    const { prunes, rebases, newestPosition, visualTokens } = session.memory();
    expect([prunes, rebases].every((count) => count > 2)).toBe(true);
    expect(newestPosition).toBeLessThan(160);
    expect(visualTokens).toBeLessThanOrEqual(memory.capacityTokens);
  });
});
