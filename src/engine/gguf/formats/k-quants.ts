// Q4_K, Q5_K and Q6_K: blocks of 256 elements, which are eight runs of 32.
//
//          in the file                                                      on the GPU
//   Q4_K   d, dmin, scales and minima, nibbles                              nibbles | d, dmin, scales and minima
//   Q5_K   the same, with fifth bits before the nibbles                     nibbles | fifth bits | as Q4_K
//   Q6_K   nibbles, upper bits, 16 scales of a signed byte each, d          nibbles | upper bits | scales | d
//
// w = d · scale · q - dmin · min for Q4_K and Q5_K, a scale and a minimum of six bits for each run;
// w = d · scale · (q - 32) for Q6_K, a scale for each 16 elements. d and dmin are halves.
//
// On the GPU each run has its own bits together, as if it were a block of `blocks-32.ts`: 16 bytes of nibbles,
// byte b with element b in its low half and b + 16 in its high one; a word of fifth bits as there; and two words
// of upper bits, of which word p has those of element 16p + 4j + b at bits 8b + 2j and 8b + 2j + 1. Scales and
// minima are put so that run r finds its own at bits 4r .. 4r + 3 of three words: the lower four bits of the
// scale, those of the minimum, and the upper two of both, the scale's first.
import { type Format, f16ToF32 } from './format';

const RUNS = 8;

export const q4_k = minimumBlocks(4);
export const q5_k = minimumBlocks(5);

export const q6_k: Format = {
  sections: [128, 64, 16, 2],
  lay(source, from, target, [nibbles, upper, scales, scale]) {
    for (let half = 0; half < 2; half++) {
      const run = nibbles! + 64 * half;
      // The file pairs element e of a half with e + 64 in one byte, and with all four of e + 32n in the upper bits.
      layNibbles(source, from + 64 * half, target, run, run + 32);
      layNibbles(source, from + 64 * half + 32, target, run + 16, run + 48);
      for (let word = 0; word < 8; word++) {
        const bits = source.getUint32(from + 128 + 32 * half + 4 * word, true);
        const place = (word >> 2) * 4;
        const shift = (word & 3) * 2;
        for (let n = 0; n < 4; n++) {
          orUint32(target, upper! + 32 * half + 8 * n + place, ((bits >>> (2 * n)) & 0x03030303) << shift);
        }
      }
    }
    for (let i = 0; i < 16; i += 4) {
      target.setUint32(scales! + i, source.getUint32(from + 192 + i, true), true);
    }
    target.setUint16(scale!, source.getUint16(from + 208, true), true);
  },
  dequantise(source, from, values, first) {
    const scale = f16ToF32(source.getUint16(from + 208, true));
    for (let i = 0; i < 256; i++) {
      const half = i >> 7;
      const within = i & 127;
      const pair = source.getUint8(from + 64 * half + (within & 63));
      const upper = source.getUint8(from + 128 + 32 * half + (within & 31)) >> (2 * (within >> 5));
      const quant = (within < 64 ? pair & 15 : pair >> 4) | ((upper & 3) << 4);
      values[first + i] = scale * source.getInt8(from + 192 + (i >> 4)) * (quant - 32);
    }
  },
};

function minimumBlocks(bits: 4 | 5): Format {
  const fifthBytes = bits === 5 ? 32 : 0;
  const nibbles = 16 + fifthBytes;
  return {
    sections: [128, fifthBytes, 16].filter((bytes) => bytes > 0),
    lay(source, from, target, at) {
      for (let pair = 0; pair < 4; pair++) {
        // The file pairs element e of 64 with e + 32 in one byte.
        const run = at[0]! + 32 * pair;
        layNibbles(source, from + nibbles + 32 * pair, target, run, run + 16);
      }
      for (let word = 0; word < fifthBytes / 4; word++) {
        // Bit r of byte e is the fifth bit of element e of run r.
        const bits = source.getUint32(from + 16 + 4 * word, true);
        for (let run = 0; run < RUNS; run++) {
          orUint32(target, at[1]! + 4 * run, ((bits >>> run) & 0x01010101) << word);
        }
      }
      const scales = at[at.length - 1]!;
      target.setUint32(scales, source.getUint32(from, true), true);
      for (let run = 0; run < RUNS; run++) {
        const scale = scaleOf(source, from + 4, run);
        const minimum = minimumOf(source, from + 4, run);
        const shift = 4 * run;
        orUint32(target, scales + 4, (scale & 15) << shift);
        orUint32(target, scales + 8, (minimum & 15) << shift);
        orUint32(target, scales + 12, ((scale >> 4) | ((minimum >> 4) << 2)) << shift);
      }
    },
    dequantise(source, from, values, first) {
      const d = f16ToF32(source.getUint16(from, true));
      const dMin = f16ToF32(source.getUint16(from + 2, true));
      for (let i = 0; i < 256; i++) {
        const run = i >> 5;
        const pair = source.getUint8(from + nibbles + 32 * (run >> 1) + (i & 31));
        const fifth = fifthBytes > 0 ? (source.getUint8(from + 16 + (i & 31)) >> run) & 1 : 0;
        const quant = (run & 1 ? pair >> 4 : pair & 15) | (fifth << 4);
        values[first + i] =
          d * scaleOf(source, from + 4, run) * quant - dMin * minimumOf(source, from + 4, run);
      }
    },
  };
}

/** The six bits of a run's scale among the twelve bytes at `from`; runs 4 to 7 have their upper two elsewhere. */
function scaleOf(source: DataView, from: number, run: number): number {
  if (run < 4) return source.getUint8(from + run) & 63;
  return (source.getUint8(from + 4 + run) & 15) | ((source.getUint8(from + run - 4) >> 6) << 4);
}

/** The same for the run's minimum. */
function minimumOf(source: DataView, from: number, run: number): number {
  if (run < 4) return source.getUint8(from + 4 + run) & 63;
  return (source.getUint8(from + 4 + run) >> 4) | ((source.getUint8(from + run) >> 6) << 4);
}

/** Of 32 bytes at `from`, the low halves are one run and the high halves another; each becomes 16 bytes. */
function layNibbles(source: DataView, from: number, target: DataView, low: number, high: number): void {
  for (let i = 0; i < 16; i += 4) {
    const a = source.getUint32(from + i, true);
    const b = source.getUint32(from + 16 + i, true);
    target.setUint32(low + i, (a & 0x0f0f0f0f) | ((b & 0x0f0f0f0f) << 4), true);
    target.setUint32(high + i, ((a >>> 4) & 0x0f0f0f0f) | (b & 0xf0f0f0f0), true);
  }
}

function orUint32(target: DataView, at: number, bits: number): void {
  target.setUint32(at, target.getUint32(at, true) | bits, true);
}
