// The tensor types a GGUF file may hold: name, elements a block, bytes a block. All are known, so that any
// file can be measured and listed; `weight-format.ts` says which of them the engine runs.

/** [number in the file, elements, bytes of one block], as defined by ggml's `ggml.h` and `ggml-common.h`. */
const TYPES = {
  F32: [0, 1, 4],
  F16: [1, 1, 2],
  Q4_0: [2, 32, 18],
  Q4_1: [3, 32, 20],
  Q5_0: [6, 32, 22],
  Q5_1: [7, 32, 24],
  Q8_0: [8, 32, 34],
  Q8_1: [9, 32, 36],
  Q2_K: [10, 256, 84],
  Q3_K: [11, 256, 110],
  Q4_K: [12, 256, 144],
  Q5_K: [13, 256, 176],
  Q6_K: [14, 256, 210],
  Q8_K: [15, 256, 292],
  IQ2_XXS: [16, 256, 66],
  IQ2_XS: [17, 256, 74],
  IQ3_XXS: [18, 256, 98],
  IQ1_S: [19, 256, 50],
  IQ4_NL: [20, 32, 18],
  IQ3_S: [21, 256, 110],
  IQ2_S: [22, 256, 82],
  IQ4_XS: [23, 256, 136],
  I8: [24, 1, 1],
  I16: [25, 1, 2],
  I32: [26, 1, 4],
  I64: [27, 1, 8],
  F64: [28, 1, 8],
  IQ1_M: [29, 256, 56],
  BF16: [30, 1, 2],
  TQ1_0: [34, 256, 54],
  TQ2_0: [35, 256, 66],
  MXFP4: [39, 32, 17],
} as const satisfies Record<string, readonly [id: number, elements: number, bytes: number]>;

export type TensorType = keyof typeof TYPES;

/** A type's name, and how many elements and bytes a block of it has. */
export interface TensorBlock {
  readonly name: TensorType;
  readonly blockElements: number;
  readonly blockBytes: number;
}

const NAMES = Object.keys(TYPES) as TensorType[];
const BY_ID = new Map(NAMES.map((name) => [TYPES[name][0] as number, blockOf(name)]));

/** The type of this number in the file, or undefined for one that is not known here. */
export function tensorType(id: number): TensorBlock | undefined {
  return BY_ID.get(id);
}

/** What a block of the type holds. */
export function blockOf(name: TensorType): TensorBlock {
  const [, blockElements, blockBytes] = TYPES[name];
  return { name, blockElements, blockBytes };
}
