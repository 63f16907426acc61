// Every family in a session, on a small random checkpoint: what it says while nothing is pruned against whole prompts
// run at once, and a stream far past the budget and the trained positions.

import { describe, expect, it } from 'vitest';
import { FAMILIES } from './models';
import { ask, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';
import { wholePrompt } from './testing/whole-prompt';

const OPENING =
  '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>';
const toAnswer = (question: string) => `<|vision_end|>${question}<|im_end|>\n<|im_start|>assistant\n`;
const NEXT_VIDEO = '<|im_end|>\n<|im_start|>user\n<|vision_start|>';

/** A checkpoint of each. */
const FIXTURES: Readonly<Record<string, string>> = {
  'Qwen2-VL': 'wllama',
  'Qwen2.5-VL': 'qwen2.5-gqa2-hd32',
};

describe.each(FAMILIES.map(({ name }) => name))('%s', { timeout: 600_000 }, (family) => {
  const fixture = FIXTURES[family]!;

  it('answers as after the whole prompt: a turn, frames, another turn', async () => {
    const session = await openSmall({}, {}, fixture);
    await watch(session, 0, 5);
    const first = await wholePrompt([OPENING, [0, 5], toAnswer('What is it?')], fixture);
    expect(await ask(session, 'What is it?')).toBe(first.text);
    await watch(session, 5, 2);
    const next = await wholePrompt(
      [OPENING, [0, 5], toAnswer('What is it?'), first, NEXT_VIDEO, [5, 2], toAnswer('And now?')],
      fixture,
    );
    expect(await ask(session, 'And now?')).toBe(next.text);
  });

  it('streams past the budget and the trained positions', async () => {
    const memory = { capacityTokens: 16 * TOKENS_PER_FRAME };
    const session = await openSmall(memory, { trainedPositions: 160 }, fixture);
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
