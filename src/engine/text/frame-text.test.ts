// Text before frames: markers around a video, or around each frame with its time.

import { describe, expect, it } from 'vitest';
import { QWEN3_VL } from '../models/qwen3-vl';
import { SMOLVLM2 } from '../models/smolvlm2';
import { FrameText } from './frame-text';

const PIECES = {
  opening: 'USER <|vision_start|>',
  afterFrames: '<|vision_end|>',
  leadAfterFrames: '',
  afterQuestion: ' ASSISTANT ',
  afterAnswer: ' USER ',
  leadAfterAnswer: '',
  beforeFrames: 'Video: <|vision_start|>',
};

it('nothing within a video whose times are positions', () => {
  const text = new FrameText(PIECES);
  expect([text.eachFrame, text.opening, text.before('next', 3)]).toEqual([false, PIECES.opening, '']);
  expect(text.before('after-turn', 3)).toBe('Video: <|vision_start|>');
  expect([text.closing, text.leadAfterFrames]).toEqual(['<|vision_end|>', '']);
});

it('a pad that ends a video', () => {
  const text = new FrameText({ ...PIECES, afterFrames: '\n' }, undefined, '<video>');
  expect([text.before('next', 3), text.closing]).toEqual(['', '<video>\n']);
});

it('times and markers around every frame', () => {
  const text = new FrameText(PIECES, QWEN3_VL.video.eachFrame);
  expect([text.eachFrame, text.opening]).toEqual([true, 'USER ']);
  expect(text.before('first', 0.25)).toBe('<0.2 seconds><|vision_start|>');
  expect(text.before('next', 1.25)).toBe('<|vision_end|><1.2 seconds><|vision_start|>');
  expect(text.before('after-turn', 60)).toBe('Video: <60.0 seconds><|vision_start|>');
  expect([text.closing, text.leadAfterFrames]).toEqual(['<|vision_end|>', '']);
});

describe("a family's own words about frames", () => {
  const INTRO = ' You are provided the following series of frames from a video.\n';
  const BEFORE = ':<fake_token_around_image><global-img>';

  // As the template's own video leaves it, and where it knows images alone.
  it.each(['User: ', 'User:'])('behind %j', (opening) => {
    const pieces = { ...PIECES, opening, afterFrames: '', beforeFrames: opening.slice('User:'.length) };
    const text = new FrameText(pieces, SMOLVLM2.video.eachFrame);
    expect(text.opening).toBe(`User:${INTRO}`);
    expect(text.before('first', 0)).toBe(`\nFrame from 00:00${BEFORE}`);
    expect(text.before('next', 61.9)).toBe(`<fake_token_around_image>\nFrame from 01:01${BEFORE}`);
    expect(text.before('after-turn', 6000)).toBe(`${INTRO}\nFrame from 100:00${BEFORE}`);
    expect([text.closing, text.leadAfterFrames]).toEqual(['<fake_token_around_image>', '\n\n']);
  });
});

describe('times as Python writes them with one decimal', () => {
  it.each([
    [0, '0.0'],
    [0.25, '0.2'],
    [0.35, '0.3'],
    [0.75, '0.8'],
    [2.25, '2.2'],
    [12.96, '13.0'],
    [3723.5, '3723.5'],
  ])('%f', (seconds, text) => {
    expect(QWEN3_VL.video.eachFrame!.before(seconds)).toBe(`<${text} seconds><|vision_start|>`);
  });
});
