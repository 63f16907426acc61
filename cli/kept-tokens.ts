// Keys and values of whole frames, put into a ring as the decoder would leave them there, and pruned once.

import type { PolicyName } from '../src/engine/contract';
import type { Gpu } from '../src/engine/gpu/device';
import { Ledger } from '../src/engine/gpu/ledger';
import { Ring } from '../src/engine/memory/ring';
import { planRing, type RingShape, SLOT_WORDS } from '../src/engine/memory/ring-shape';
import { readFloats } from './read-back';

/** Keys and values [layers, kvHeads, tokens, headDim] of frames of rows × columns tokens each. */
export interface WholeFrames {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly layers: number;
  readonly kvHeads: number;
  readonly tokens: number;
  readonly headDim: number;
  readonly rows: number;
  readonly columns: number;
}

/** What is to be kept of them. */
export interface Choice {
  readonly policy: PolicyName;
  readonly keep: number;
  readonly pooling: boolean;
  readonly seed: number;
}

/**
 * Prunes a ring that holds `frames`.
 * @returns kept tokens [layer][head], ascending.
 * @throws InvalidInputError, OutOfMemoryError when a ring cannot be as large.
 */
export async function keptTokens(gpu: Gpu, frames: WholeFrames, choice: Choice): Promise<number[][][]> {
  const { layers, kvHeads, tokens, headDim, rows, columns } = frames;
  const tokensPerFrame = rows * columns;
  const shape: RingShape = {
    layers,
    kvHeads,
    headDim: Math.ceil(headDim / 4) * 4,
    // A ring has room for two frames at least.
    capacity: Math.ceil(Math.max(tokens, 2 * tokensPerFrame) / 64) * 64,
    tokensPerFrame,
    gridColumns: columns,
    kvFormat: 'f32',
  };
  const ledger = await Ledger.create(gpu.device, planRing(shape));
  try {
    const ring = await Ring.create(gpu, ledger, shape, shape.capacity);
    ring.configure({ policy: choice.policy, pooling: choice.pooling, seed: choice.seed });
    for (let held = 0; held < tokens; held += tokensPerFrame) ring.allocate('visual', tokensPerFrame);
    for (let head = 0; head < layers * kvHeads; head++) write(gpu.device, ledger, shape, frames, head);
    if (choice.keep < tokens) ring.prune(choice.keep);

    const slots = new Uint32Array((await readFloats(gpu.device, ledger.get('ring.slots'))).buffer);
    return Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: kvHeads }, (_, head) => {
        const first = (layer * kvHeads + head) * shape.capacity;
        return Array.from({ length: shape.capacity }, (_, i) => slots[(first + i) * SLOT_WORDS]!)
          .filter((seq) => seq < tokens)
          .sort((a, b) => a - b);
      }),
    );
  } finally {
    ledger.dispose();
  }
}

/** Writes one (layer, head): an empty ring hands out slots in order, so token i stands in slot i. */
function write(
  device: GPUDevice,
  ledger: Ledger,
  { kvHeads, capacity, headDim, tokensPerFrame }: RingShape,
  frames: WholeFrames,
  head: number,
): void {
  const { tokens } = frames;
  // Rows are filled up with zeros, which change neither angles nor norms.
  const keys = new Float32Array(tokens * headDim);
  const values = new Float32Array(tokens * headDim);
  const slots = new Uint32Array(tokens * SLOT_WORDS);
  const norms = new Float32Array(slots.buffer);
  for (let token = 0; token < tokens; token++) {
    const row = (head * tokens + token) * frames.headDim;
    keys.set(frames.keys.subarray(row, row + frames.headDim), token * headDim);
    const value = frames.values.subarray(row, row + frames.headDim);
    values.set(value, token * headDim);
    slots.set([token, Math.floor(token / tokensPerFrame), token % tokensPerFrame], token * SLOT_WORDS);
    norms[token * SLOT_WORDS + 3] = Math.sqrt(value.reduce((sum, x) => sum + x * x, 0));
  }
  const layer = Math.floor(head / kvHeads);
  const rows = (head % kvHeads) * capacity * headDim * 4;
  device.queue.writeBuffer(ledger.get(`ring.keys.${layer}`), rows, keys);
  device.queue.writeBuffer(ledger.get(`ring.values.${layer}`), rows, values);
  device.queue.writeBuffer(ledger.get('ring.slots'), head * capacity * SLOT_WORDS * 4, slots);
}
