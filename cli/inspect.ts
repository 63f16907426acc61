// Prints what a GGUF file holds: its metadata, its tensors and their totals by type.
import type { MetadataValue } from '../src/engine/gguf/metadata';
import { openModelFile } from '../src/engine/gguf/model-file';
import { nodeFileSource } from '../src/engine/gguf/node-file';

/** Characters of a text, and items of a list, that are shown of a metadata value. */
const SHOWN_CHARACTERS = 120;
const SHOWN_ITEMS = 6;

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

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Columns padded to their widest cell; those from `firstNumber` on hold numbers and stand flush right. */
function table(head: readonly string[], rows: readonly (readonly string[])[], firstNumber: number): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column < firstNumber ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  '),
    )
    .join('\n');
}
