// The rotary embedding of a key in double precision: what kernels are judged by, and how.

import type { Rope } from '../../decoder/hyper';
import type { Position } from '../../decoder/rotary';

/** `key` turned by `position`, `[headDim]`. */
export function turnedKey(
  key: ArrayLike<number>,
  position: Position,
  { ropeTheta, ropeSections: [time, height, width], ropeInterleaved }: Rope,
): Float64Array {
  const pairs = key.length / 2;
  const axes = [...Array(time).fill(0), ...Array(height).fill(1), ...Array(width).fill(2)] as (0 | 1 | 2)[];
  if (ropeInterleaved) {
    axes.fill(0);
    for (let i = 0; i < height; i++) axes[3 * i + 1] = 1;
    for (let i = 0; i < width; i++) axes[3 * i + 2] = 2;
  }
  const row = new Float64Array(key.length);
  for (let pair = 0; pair < pairs; pair++) {
    const angle = position[axes[pair]!] * ropeTheta ** (-pair / pairs);
    const [a, b] = [key[pair]!, key[pair + pairs]!];
    row[pair] = a * Math.cos(angle) - b * Math.sin(angle);
    row[pair + pairs] = b * Math.cos(angle) + a * Math.sin(angle);
  }
  return row;
}

/** How far a key is from another: the norm of their difference, to the norm of the second. */
export function keyError(key: ArrayLike<number>, want: Float64Array): number {
  const difference = want.map((value, i) => key[i]! - value);
  return Math.hypot(...difference) / (Math.hypot(...want) || 1);
}
