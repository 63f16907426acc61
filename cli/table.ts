// Tables and numbers as the command line prints them.

/** Columns padded to their widest cell; those from `firstNumber` on hold numbers and stand flush right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  firstNumber: number,
): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column < firstNumber ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A whole number with thousands separated. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}
