// Numbers that look random and are the same every time.

/** Deterministic floats in [-1, 1): a 32-bit xorshift, so that a failing case can be repeated. */
export function randomFloats(count: number, seed: number): Float32Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  });
}
