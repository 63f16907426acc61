// Prints what a GGUF file holds: its metadata, its tensors and their totals by type.
import type { MetadataValue } from '../src/engine/gguf/metadata';
import { openModelFile } from '../src/engine/gguf/model-file';
import { nodeFileSource } from '../src/engine/gguf/node-file';
import type { Command } from './command';
import { count, table } from './table';

/** Characters of a text, and items of a list, that are shown of a metadata value. */
const SHOWN_CHARACTERS = 120;
const SHOWN_ITEMS = 6;

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Print what a GGUF file holds.',
  usage: 'FILE.gguf',
  description:
    'Prints the metadata of a GGUF file, its tensors (outermost dimension first) and their totals by type. Reads only the header.',
  options: {},
  operands: ['FILE.gguf'],
  run: ({ operands }) => inspect(operands[0]!),
};

/**
 * Prints metadata and tensors of the GGUF file at `path`.
 * @throws ModelFormatError when there is no such file or it is damaged.
 */
export async function inspect(path: string): Promise<void> {
  const file = await openModelFile(await nodeFileSource(path));
  console.log(`${file.source.name}: GGUF version ${file.version}, ${count(file.source.size)} bytes\n`);
  for (const [key, value] of file.metadata.entries()) console.log(`${key} = ${shown(value)}`);

  const tensors = [...file.tensors.values()];
  const rows = tensors.map(({ name, shape, type, byteLength, byteOffset }) => [
    name,
    `[${shape.join(', ')}]`,
    type,
    count(byteLength),
    count(byteOffset),
  ]);
  console.log(`\n${table(['tensor', 'shape', 'type', 'bytes', 'offset'], rows, 3)}`);

  const types = [...new Set(tensors.map((tensor) => tensor.type))];
  const totals = types.map((type) => {
    const ofType = tensors.filter((tensor) => tensor.type === type);
    return [type, ...sums(ofType)];
  });
  console.log(
    `\n${table(['type', 'tensors', 'elements', 'bytes'], [...totals, ['all', ...sums(tensors)]], 1)}`,
  );
}

function sums(tensors: readonly { rows: number; cols: number; byteLength: number }[]): string[] {
  const elements = tensors.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const bytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [tensors.length, elements, bytes].map(count);
}

function shown(value: MetadataValue): string {
  if (Array.isArray(value)) {
    const items = value.slice(0, SHOWN_ITEMS).map((item) => shown(item));
    return value.length > SHOWN_ITEMS
      ? `[${items.join(', ')}, … ${count(value.length)} in all]`
      : `[${items.join(', ')}]`;
  }
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
}
