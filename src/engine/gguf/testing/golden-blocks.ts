// Blocks of every weight format, and what the `gguf` package says they stand for (reference/fixture_blocks.py).

import { readFileSync } from 'node:fs';
import { npyFloats, parseNpy } from '../../../npy';
import { tensorTypeOf, type WeightFormat } from '../weight-format';

const FOLDER = new URL('../../../../reference/fixtures/blocks/', import.meta.url);

interface BlockType {
  readonly type: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  readonly groups: readonly { readonly name: string; readonly blocks: number }[];
}

/** Raw bytes, and the values of the reference; both without the last `without` blocks. */
export interface GoldenBlocks {
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly values: Float32Array<ArrayBuffer>;
}

/** @param subnormal whether to take the last group as well: values so small that a GPU may make zeros of them. */
export function goldenBlocks(format: WeightFormat, subnormal: boolean): GoldenBlocks {
  const bytes = (file: string) => new Uint8Array(readFileSync(new URL(file, FOLDER)));
  const name = tensorTypeOf(format);
  const { types } = JSON.parse(new TextDecoder().decode(bytes('blocks.json'))) as { types: BlockType[] };
  const { groups, blockValues, blockBytes } = types.find(({ type }) => type === name)!;
  const taken = groups.filter((group) => subnormal || group.name !== 'subnormal');
  const blocks = taken.reduce((sum, group) => sum + group.blocks, 0);
  const file = `${name}.values.npy`;
  return {
    raw: bytes(`${name}.bin`).slice(0, blocks * blockBytes),
    values: npyFloats(parseNpy(bytes(file), file), file).slice(0, blocks * blockValues),
  };
}
