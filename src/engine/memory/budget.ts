// How much visual memory may be held, and how far a prune goes down. Pure arithmetic.

import type { Budget } from '../contract';
import { InvalidInputError } from '../errors';
import { bytesPerToken, type RingShape } from './ring-shape';

/** Fewest frames a budget must hold: one that stays and one that arrives. */
export const MIN_FRAMES = 2;

/**
 * How much of the budget a prune leaves filled. It is 1 − ρ of InfiniPot-V: a quarter of the budget arrives
 * between two prunes, so what counts as recent at a prune is just what arrived since the last one; each frame
 * is judged by the frames after it, and the cost of a prune is spread over a quarter of all frames held.
 */
const KEPT_SHARE = 0.75;

/**
 * A budget in visual tokens of each (layer, head).
 * @param visualCapacity most visual tokens the ring was made for.
 * @throws InvalidInputError when it is below two frames or above the capacity.
 */
export function budgetTokens(shape: RingShape, budget: Budget, visualCapacity: number): number {
  const perToken = bytesPerToken(shape);
  const tokens = 'tokens' in budget ? budget.tokens : Math.floor(budget.bytes / perToken);
  const least = MIN_FRAMES * shape.tokensPerFrame;
  // Written so that NaN is refused too.
  if (!(tokens >= least && tokens <= visualCapacity)) {
    throw new InvalidInputError(
      `The memory budget is ${tokens} visual tokens (${tokens * perToken} bytes). It must be between ${least} tokens (${least * perToken} bytes), which hold ${MIN_FRAMES} frames, and ${visualCapacity} tokens (${visualCapacity * perToken} bytes), which this ring was made for. Change the budget, or load the model again with a larger one.`,
    );
  }
  return Math.floor(tokens);
}

/** Visual tokens to keep when one more frame would pass the budget: whole frames, with room for at least one. */
export function pruneTarget(budget: number, tokensPerFrame: number): number {
  const frames = Math.floor(Math.floor(budget / tokensPerFrame) * KEPT_SHARE);
  return Math.max(frames, 1) * tokensPerFrame;
}
