// The tensor types a GGUF file may hold: name, elements a block, bytes a block. All are known, so that any
// file can be measured and listed; `weight-format.ts` says which of them the engine runs.
import { GGMLQuantizationType } from '@huggingface/gguf';

export type TensorType = keyof typeof GGMLQuantizationType;

/** [elements, bytes] of one block, as defined by ggml's `ggml-common.h`. */
const BLOCKS: Partial<Record<TensorType, readonly [elements: number, bytes: number]>> = {
  F32: [1, 4],
  F16: [1, 2],
  BF16: [1, 2],
  F64: [1, 8],
  I8: [1, 1],
  I16: [1, 2],
  I32: [1, 4],
  I64: [1, 8],
  Q4_0: [32, 18],
  Q4_1: [32, 20],
  Q5_0: [32, 22],
  Q5_1: [32, 24],
  Q8_0: [32, 34],
  Q8_1: [32, 36],
  Q2_K: [256, 84],
  Q3_K: [256, 110],
  Q4_K: [256, 144],
  Q5_K: [256, 176],
  Q6_K: [256, 210],
  Q8_K: [256, 292],
  IQ1_S: [256, 50],
  IQ1_M: [256, 56],
  IQ2_XXS: [256, 66],
  IQ2_XS: [256, 74],
  IQ2_S: [256, 82],
  IQ3_XXS: [256, 98],
  IQ3_S: [256, 110],
  IQ4_NL: [32, 18],
  IQ4_XS: [256, 136],
  TQ1_0: [256, 54],
  TQ2_0: [256, 66],
  MXFP4: [32, 17],
};

/** Name and block of a type by its number in the file, or undefined for a number nobody has defined yet. */
export function tensorType(
  id: number,
): { readonly name: TensorType; readonly blockElements: number; readonly blockBytes: number } | undefined {
  const name = GGMLQuantizationType[id] as TensorType | undefined;
  const block = name && BLOCKS[name];
  return name && block && { name, blockElements: block[0], blockBytes: block[1] };
}
