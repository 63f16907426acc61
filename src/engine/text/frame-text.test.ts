// Text before frames: markers around a video, or around each frame with its time.

import { describe, expect, it } from 'vitest';
import { QWEN3_VL } from '../models/qwen3-vl';
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
  expect([text.timed, text.opening, text.before('next', 3)]).toEqual([false, PIECES.opening, '']);
  expect(text.before('after-turn', 3)).toBe('Video: <|vision_start|>');
});

it('times and markers around every frame', () => {
  const text = new FrameText(PIECES, QWEN3_VL.video.timeText);
  expect([text.timed, text.opening]).toEqual([true, 'USER ']);
  expect(text.before('first', 0.25)).toBe('<0.2 seconds><|vision_start|>');
  expect(text.before('next', 1.25)).toBe('<|vision_end|><1.2 seconds><|vision_start|>');
  expect(text.before('after-turn', 60)).toBe('Video: <60.0 seconds><|vision_start|>');
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
    expect(QWEN3_VL.video.timeText!(seconds)).toBe(`<${text} seconds>`);
  });
});
