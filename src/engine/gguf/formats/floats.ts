// F32, F16 and BF16: blocks of one element, left as they are.
import { type Format, f16ToF32 } from './format';

export const f32: Format = {
  sections: [4],
  dequantise(source, from, values, first) {
    values[first] = source.getFloat32(from, true);
  },
};

export const f16: Format = {
  sections: [2],
  dequantise(source, from, values, first) {
    values[first] = f16ToF32(source.getUint16(from, true));
  },
};

export const bf16: Format = {
  sections: [2],
  dequantise(source, from, values, first) {
    values[first] = bf16ToF32(source.getUint16(from, true));
  },
};

const bf16Bits = new Uint32Array(1);
const bf16Value = new Float32Array(bf16Bits.buffer);

/** The value of a bfloat16 bit pattern. */
export function bf16ToF32(bits: number): number {
  bf16Bits[0] = bits << 16;
  return bf16Value[0]!;
}
