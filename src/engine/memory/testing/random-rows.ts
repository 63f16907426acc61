// Random rows of halves whose exact values are known, some of them repeated or zero so that scores tie.

/** Deterministic 32-bit numbers (xorshift). */
export function randomWords(seed: number): () => number {
  let state = Math.imul(seed, 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** The value of a half that is finite. */
export function halfValue(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const sign = bits & 0x8000 ? -1 : 1;
  const fraction = (bits & 1023) / 1024;
  return exponent === 0 ? sign * 2 ** -14 * fraction : sign * 2 ** (exponent - 15) * (1 + fraction);
}

/** A source of rows: one in four repeats an earlier row drawn under the same `like`, one in thirty-two is zero. */
export class RandomRows {
  readonly #next: () => number;
  readonly #width: number;
  readonly #earlier = new Map<string, Uint16Array>();

  constructor(seed: number, width: number) {
    this.#next = randomWords(seed);
    this.#width = width;
  }

  /** Half bits, magnitudes from 2^-5 to 2^2. */
  draw(like: string): Uint16Array {
    const kind = this.#next() % 32;
    const earlier = this.#earlier.get(like);
    if (kind < 8 && earlier) return earlier;
    if (kind === 31) return new Uint16Array(this.#width);
    const row = Uint16Array.from({ length: this.#width }, () => {
      const word = this.#next() >>> 8;
      return (word & 0x83ff) | ((10 + ((word >>> 16) % 7)) << 10);
    });
    if (kind < 16) this.#earlier.set(like, row);
    return row;
  }
}

/** Rows as the ring stores them. */
export function rowAsWords(halves: Uint16Array, format: 'f16' | 'f32'): Uint32Array {
  if (format === 'f16') return new Uint32Array(halves.slice().buffer);
  return new Uint32Array(Float32Array.from(halves, halfValue).buffer);
}

/** The inverse of {@link rowAsWords}, in float64. */
export function wordsAsRow(words: Uint32Array, format: 'f16' | 'f32'): Float64Array {
  const copy = words.slice().buffer;
  return format === 'f16'
    ? Float64Array.from(new Uint16Array(copy), halfValue)
    : Float64Array.from(new Float32Array(copy));
}
