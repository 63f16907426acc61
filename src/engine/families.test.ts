// Every family in a session, on a small random checkpoint: what it says while nothing is pruned against whole prompts
// run at once, and a stream far past the budget and the trained positions.

import { describe, expect, it } from 'vitest';
import { FAMILIES } from './models';
import { ask, FRAME, held, noiseFrame, openSmall, TOKENS_PER_FRAME, watch } from './testing/small-session';
import { type PromptPart, wholePrompt } from './testing/whole-prompt';

/** A checkpoint of a family, the size of frames it takes, and how it writes a conversation about video. */
interface Manner {
  readonly fixture: string;
  readonly frame: { readonly width: number; readonly height: number };
  readonly framesPerPatch: 1 | 2;
  /** Positions of the long stream. */
  readonly range: number;
  /** Up to the first frame. */
  readonly opening: string;
  /** Temporal patches of the stream, a second each, and what stands between them and a question. */
  readonly video: (first: number, count: number) => PromptPart[];
  /** Behind a question, and behind an answer that frames follow. */
  readonly afterQuestion: string;
  readonly afterAnswer: string;
}

const QWEN = {
  framesPerPatch: 2,
  range: 160,
  afterQuestion: '<|im_end|>\n<|im_start|>assistant\n',
  afterAnswer: '<|im_end|>\n<|im_start|>user\n',
} as const;

const oneVideo: Omit<Manner, 'fixture'> = {
  ...QWEN,
  frame: FRAME,
  opening: '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n',
  video: (first, count) => ['<|vision_start|>', [first, count], '<|vision_end|>'],
};

/** Each temporal patch between words of its own. */
const seconds = (first: number, count: number, around: (second: number) => readonly [string, string]) =>
  Array.from({ length: count }, (_, i): PromptPart[] => {
    const [before, after] = around(first + i);
    return [before, [first + i, 1], after];
  }).flat();

const SMOLVLM2_INTRO = 'User: You are provided the following series of frames from a video.\n';

const MANNERS: Readonly<Record<string, Manner>> = {
  'Qwen2-VL': { ...oneVideo, fixture: 'wllama' },
  'Qwen2.5-VL': { ...oneVideo, fixture: 'qwen2.5-gqa2-hd32' },
  'Qwen3-VL': {
    ...QWEN,
    fixture: 'qwen3-gqa2-hd32',
    frame: { width: 96, height: 64 },
    opening: '<|im_start|>user\n',
    video: (first, count) =>
      seconds(first, count, (second) => [`<${second}.2 seconds><|vision_start|>`, '<|vision_end|>']),
  },
  SmolVLM2: {
    fixture: 'smolvlm2-gqa3-hd32',
    frame: { width: 64, height: 64 },
    framesPerPatch: 1,
    range: 400,
    opening: `<|im_start|>${SMOLVLM2_INTRO}`,
    video: (first, count) => [
      ...seconds(first, count, (second) => [
        `\nFrame from 00:0${second}:<fake_token_around_image><global-img>`,
        '<fake_token_around_image>',
      ]),
      '\n\n',
    ],
    afterQuestion: '<end_of_utterance>\nAssistant:',
    afterAnswer: `<end_of_utterance>\n${SMOLVLM2_INTRO}`,
  },
  'LLaVA-OneVision': {
    fixture: 'onevision-gqa3-hd32',
    frame: FRAME,
    framesPerPatch: 1,
    range: 400,
    opening: '<|im_start|>user ',
    // The pad stands for the embedding that ends a video.
    video: (first, count) => [[first, count], '<video>\n'],
    afterQuestion: '<|im_end|><|im_start|>assistant\n',
    afterAnswer: '<|im_end|><|im_start|>user ',
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
  const { fixture, frame, framesPerPatch, range, ...manner } = MANNERS[family]!;
  const { opening, video, afterQuestion, afterAnswer } = manner;

  it('answers as after the whole prompt: a turn, frames, another turn', async () => {
    const session = await openSmall({}, { frame }, fixture);
    await watch(session, 0, 5, framesPerPatch);
    const turn = [opening, ...video(0, 5), 'What is it?', afterQuestion];
    const first = await wholePrompt(joined(turn), { fixture, frame });
    expect(await ask(session, 'What is it?')).toBe(first.text);
    await watch(session, 5, 2, framesPerPatch);
    const turns = [...turn, first, afterAnswer, ...video(5, 2), 'And now?', afterQuestion];
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
    const session = await openSmall(memory, { frame, trainedPositions: range }, fixture);
    let timestampMs = 0;
    let said = '';
    for (let turn = 0; turn < 4; turn++) {
      // Frames that come as they like, with a pause longer than all positions.
      for (let i = 0; i < 60; i++) {
        timestampMs += i === 30 ? 600_000 : 300 + 100 * ((i * i) % 7);
        await session.watch(noiseFrame(i), timestampMs);
        expect(session.memory().newestPosition).toBeLessThan(range);
      }
      said += await ask(session, `Question ${turn}?`);
    }
    expect(said).not.toBe('');
    const { prunes, rebases, newestPosition, visualTokens } = session.memory();
    expect([prunes, rebases].every((count) => count > 2)).toBe(true);
    expect(newestPosition).toBeLessThan(range);
    expect(visualTokens).toBeLessThanOrEqual(memory.capacityTokens);
  });
});
