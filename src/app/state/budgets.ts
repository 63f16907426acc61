// The memory budgets on offer, in video frames, and what they mean in tokens and seconds.
import type { ModelCard } from './model-card';

/** Budgets in video frames, smallest first; memory is allocated for the largest that fits the device. */
export const BUDGET_FRAMES: readonly number[] = [8, 16, 32, 64, 128];

/** The budget chosen at first. */
export const DEFAULT_BUDGET_FRAMES = 32;

// Qwen2-VL: one token stands for a block of 28 × 28 pixels over two consecutive frames.
const TOKEN_PIXELS = 28;
const TOKEN_FRAMES = 2;

/** Visual tokens that so many video frames take. */
export function tokensOfFrames(frames: number, card: ModelCard): number {
  const blocks = Math.round(card.frameWidth / TOKEN_PIXELS) * Math.round(card.frameHeight / TOKEN_PIXELS);
  return Math.ceil(frames / TOKEN_FRAMES) * blocks;
}

/** Seconds of video that so many frames cover when nothing is forgotten. */
export function secondsOfFrames(frames: number, card: ModelCard): number {
  return frames / card.framesPerSecond;
}
