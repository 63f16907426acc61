// Compares logits with the plain product of the last hidden state and the head's rows in the file: at this size the head
// is several bindings, so rows where one ends and the next begins are looked at, first and last rows, and some between.

import { readFloats } from '../../cli/read-back';
import type { ModelFile } from '../../src/engine/gguf/model-file';
import { dequantise } from '../../src/engine/gguf/weight-format';
import type { Model } from '../../src/engine/model';

/** Rows looked at besides those at the seams. */
const SPREAD_ROWS = 64;

export interface LogitsCheck {
  readonly finite: boolean;
  /** The largest, of the sum of the sizes of its row's terms. */
  readonly difference: number;
  /** Buffers that were created for it. */
  readonly readBacks: number;
}

/** After a step that sampled. @param file the decoder's. */
export async function checkLogits({ ledger, gpu }: Model, file: ModelFile): Promise<LogitsCheck> {
  const [logits, last] = [
    await readFloats(gpu.device, ledger.get('decoder.logits')),
    await readFloats(gpu.device, ledger.get('decoder.last')),
  ];
  const name = file.tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight';
  const head = file.weight(name);
  const seams = ledger.plan
    .map((spec) => spec.name.match(/^weights\..*\.(?:token_embd|output)\.weight\.(\d+)$/)?.[1])
    .flatMap((first) => (first === undefined ? [] : [Number(first) - 1, Number(first)]));
  const rows = new Set([...seams, head.rows - 1].filter((row) => row >= 0));
  for (let i = 0; i < SPREAD_ROWS; i++) rows.add(Math.floor((i * head.rows) / SPREAD_ROWS));
  let difference = 0;
  for (const row of rows) {
    const raw = await file.read(head, { firstRow: row, rowCount: 1 });
    const weights = dequantise(head.format, raw, 1, head.cols, name);
    const terms = weights.map((weight, column) => weight * last[column]!);
    const sum = terms.reduce((total, term) => total + term, 0);
    const size = terms.reduce((total, term) => total + Math.abs(term), 0);
    difference = Math.max(difference, Math.abs(sum - logits[row]!) / size);
  }
  return { finite: logits.every(Number.isFinite), difference, readBacks: 2 };
}
