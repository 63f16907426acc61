// In which type llama.cpp's tools store each tensor of a file: its converter F16 and Q8_0, its quantiser (without an
// importance matrix) Q4_0 and Q4_K_M.

import { blockOf, type TensorType } from '../../src/engine/gguf/tensor-types';

/** What a file is named after. */
export type Types = 'F16' | 'Q8_0' | 'Q4_0' | 'Q4_K_M';

/** What stands in for a type whose blocks do not divide a row; F16 for all others. */
const FALLBACKS: { readonly [type in TensorType]?: TensorType } = { Q4_K: 'Q5_0', Q6_K: 'Q8_0' };

/** @param blocks transformer blocks of the file's model; its head is `token_embd.weight`. */
export function storedType(name: string, shape: readonly number[], types: Types, blocks: number): TensorType {
  if (name.startsWith('v.patch_embd.weight')) return types === 'F16' ? 'F16' : 'F32';
  if (shape.length === 1 || name.includes('position_embd')) return 'F32';
  const wanted = wantedType(name, types, blocks);
  const fits = (type: TensorType) => shape.at(-1)! % blockOf(type).blockElements === 0;
  return [wanted, FALLBACKS[wanted] ?? 'F16'].find((type) => fits(type)) ?? 'F16';
}

function wantedType(name: string, types: Types, blocks: number): TensorType {
  const head = name === 'token_embd.weight';
  switch (types) {
    case 'Q4_0':
      return head ? 'Q6_K' : 'Q4_0';
    case 'Q4_K_M':
      return head || needsMoreBits(name, blocks) ? 'Q6_K' : 'Q4_K';
    default:
      return types;
  }
}

/** Values and the last matrix of the first and last eighth of the blocks, and of each third one between. */
function needsMoreBits(name: string, blocks: number): boolean {
  const block = Number(name.match(/^blk\.(\d+)\.(attn_v|ffn_down)\.weight$/)?.[1] ?? Number.NaN);
  const eighth = Math.floor(blocks / 8);
  return block < eighth || block >= Math.floor((7 * blocks) / 8) || (block - eighth) % 3 === 2;
}
