// The rotary embedding of a key in double precision: what kernels are judged by.

import type { DecoderHyper } from '../../decoder/hyper';
import type { Position } from '../../decoder/rotary';

/** `key` turned by `position`, `[headDim]`. */
export function turnedKey(
  key: ArrayLike<number>,
  position: Position,
  { ropeTheta, ropeSections }: Pick<DecoderHyper, 'ropeTheta' | 'ropeSections'>,
): Float64Array {
  const pairs = key.length / 2;
  const [time, height] = ropeSections;
  const row = new Float64Array(key.length);
  for (let pair = 0; pair < pairs; pair++) {
    const axis = pair < time ? 0 : pair < time + height ? 1 : 2;
    const angle = position[axis] * ropeTheta ** (-pair / pairs);
    const [a, b] = [key[pair]!, key[pair + pairs]!];
    row[pair] = a * Math.cos(angle) - b * Math.sin(angle);
    row[pair + pairs] = b * Math.cos(angle) + a * Math.sin(angle);
  }
  return row;
}
