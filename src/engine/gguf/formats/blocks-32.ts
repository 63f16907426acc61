// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: blocks of 32 elements with one scale, and in the _1 types one minimum.
//
//          in the file                                          on the GPU
//   Q8_0   d, 32 signed bytes                                   the bytes plus 128 | d
//   Q4_0   d, nibbles                  w = d (q - 8)            nibbles | d
//   Q4_1   d, m, nibbles               w = d q + m              nibbles | d, m
//   Q5_0   d, fifth bits, nibbles      w = d (q - 16)           nibbles | fifth bits | d
//   Q5_1   d, m, fifth bits, nibbles   w = d q + m              nibbles | fifth bits | d, m
//
// d and m are halves. Byte b of the nibbles holds element b in its low half and element b + 16 in its high one.
// Of the fifth bits, the file has element e's at bit e; on the GPU that of element 16p + 4j + b stands at bit
// 8b + 4p + j, so that a shift and a mask give those of four elements, one a byte.
import { type Format, f16ToF32 } from './format';

export const q8_0: Format = {
  sections: [32, 2],
  lay(source, from, target, [quants, scale]) {
    for (let i = 0; i < 32; i += 4) {
      target.setUint32(quants! + i, source.getUint32(from + 2 + i, true) ^ 0x80808080, true);
    }
    target.setUint16(scale!, source.getUint16(from, true), true);
  },
  dequantise(source, from, values, first) {
    const scale = f16ToF32(source.getUint16(from, true));
    for (let i = 0; i < 32; i++) values[first + i] = scale * source.getInt8(from + 2 + i);
  },
};

export const q4_0 = nibbleBlocks({ bits: 4, minimum: false });
export const q4_1 = nibbleBlocks({ bits: 4, minimum: true });
export const q5_0 = nibbleBlocks({ bits: 5, minimum: false });
export const q5_1 = nibbleBlocks({ bits: 5, minimum: true });

function nibbleBlocks({ bits, minimum }: { bits: 4 | 5; minimum: boolean }): Format {
  const scaleBytes = minimum ? 4 : 2;
  const fifthBytes = bits === 5 ? 4 : 0;
  const nibbles = scaleBytes + fifthBytes;
  return {
    sections: [16, fifthBytes, scaleBytes].filter((bytes) => bytes > 0),
    lay(source, from, target, at) {
      for (let i = 0; i < 16; i += 4) {
        target.setUint32(at[0]! + i, source.getUint32(from + nibbles + i, true), true);
      }
      if (fifthBytes > 0) {
        target.setUint32(at[1]!, spreadBits(source.getUint32(from + scaleBytes, true)), true);
      }
      const scale = at[at.length - 1]!;
      for (let i = 0; i < scaleBytes; i += 2) {
        target.setUint16(scale + i, source.getUint16(from + i, true), true);
      }
    },
    dequantise(source, from, values, first) {
      const scale = f16ToF32(source.getUint16(from, true));
      const least = minimum ? f16ToF32(source.getUint16(from + 2, true)) : 0;
      const fifth = fifthBytes > 0 ? source.getUint32(from + scaleBytes, true) : 0;
      for (let i = 0; i < 32; i++) {
        const pair = source.getUint8(from + nibbles + (i % 16));
        const quant = (i < 16 ? pair & 15 : pair >> 4) | (((fifth >>> i) & 1) << 4);
        values[first + i] = minimum ? scale * quant + least : scale * (quant - 2 ** (bits - 1));
      }
    },
  };
}

/** Bit 4n + b of a word goes to bit 8b + n. */
function spreadBits(word: number): number {
  let spread = 0;
  for (let n = 0; n < 8; n++) {
    // Times 1 + 2^7 + 2^14 + 2^21: a copy of the four bits every seven, so that each byte's lowest is another.
    spread |= ((((word >>> (4 * n)) & 15) * 0x204081) & 0x01010101) << n;
  }
  return spread >>> 0;
}
