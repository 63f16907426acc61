// The ring's prepared programs: reset, prune, release of dialogue. Everything they bind exists after load.

import type { TarKeys } from '../contract';
import { InvalidInputError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Ledger } from '../gpu/ledger';
import { type Program, ProgramBuilder } from '../gpu/program';
import type { ScoreKind } from './policies/policy';
import { type RingShape, ringLayer } from './ring-shape';

/** What the grids of a prune depend on. */
export interface PruneGrid {
  readonly scanSlots: number;
  /** The scores that the policy's stages ask for. */
  readonly scores: ReadonlySet<ScoreKind>;
  /** Which keys TaR compares. */
  readonly tarKeys: TarKeys;
}

export interface RingPrograms {
  readonly reset: Program;
  /** One dispatch; for TaR 1 + 2 · layers more, for pooled norms 2, for even scores 1. */
  readonly prune: Program<PruneGrid>;
  readonly drop: Program;
}

/**
 * Compiles the kernels and binds the ring's buffers.
 * @param rotated whether it is known how keys are rotated: `planRotation`.
 * @throws InvalidInputError when keys that are rotated have no multiple of 8 elements.
 */
export async function buildRingPrograms(
  gpu: Gpu,
  ledger: Ledger,
  shape: RingShape,
  rotated: boolean,
): Promise<RingPrograms> {
  const { layers, kvHeads, headDim: head_dim, capacity } = shape;
  const { tokensPerFrame: tokens_per_frame, gridColumns: grid_columns } = shape;
  if (rotated && head_dim % 8 !== 0) {
    throw new InvalidInputError(`Rotated keys of ${head_dim} elements; it must be a multiple of 8.`);
  }
  const heads = layers * kvHeads;
  const control = ledger.get('ring.control');
  const slots = ledger.get('ring.slots');
  const free_list = ledger.get('ring.free');
  const means = ledger.get('ring.means');
  const token_index = ledger.get('ring.index');
  const peaks = ledger.get('ring.peaks');
  const pooled = ledger.get('ring.pooled');

  const reset = new ProgramBuilder().add(
    { module: 'ring_reset', constants: { capacity } },
    { slots, free_list },
    [capacity / 64, heads],
  );

  const prune = new ProgramBuilder<PruneGrid>().add(
    { module: 'ring_recent_index', constants: { capacity, tokens_per_frame } },
    { control, slots, recent_index: ledger.get('ring.recent') },
    ({ scores, scanSlots }) => [scores.has('tar') ? Math.ceil(scanSlots / 256) : 0, heads],
  );
  const variants: readonly TarKeys[] = rotated ? ['cached', 'unrotated'] : ['cached'];
  for (let index = 0; index < layers; index++) {
    const { keys, slots, recent, turned, scores: layerScores } = ringLayer(ledger, shape, index);
    for (const variant of variants) {
      const unrotated = variant === 'unrotated';
      const spec = {
        conditions: { kv_f32: shape.kvFormat === 'f32', unrotated },
        constants: { capacity, head_dim, tokens_per_frame },
      };
      const shared = {
        ...{ control, keys, slots, means },
        ...(unrotated && { turned, turns: ledger.get('ring.turns') }),
      };
      const wanted = ({ scores, tarKeys }: PruneGrid) => scores.has('tar') && tarKeys === variant;
      prune
        .add({ module: 'ring_recent_means', ...spec }, { ...shared, recent_index: recent }, (grid) => [
          wanted(grid) ? tokens_per_frame : 0,
          kvHeads,
        ])
        .add({ module: 'ring_tar_scores', ...spec }, { ...shared, scores: layerScores }, (grid) => [
          wanted(grid) ? Math.ceil(grid.scanSlots / 64) : 0,
          kvHeads,
        ]);
    }
  }
  prune
    .add(
      { module: 'ring_even_scores', constants: { capacity } },
      { control, even: ledger.get('ring.even'), slots, scores: ledger.get('ring.scores') },
      ({ scores, scanSlots }) => [scores.has('even') ? Math.ceil(scanSlots / 64) : 0, heads],
    )
    .add(
      { module: 'ring_pool_index', constants: { capacity, tokens_per_frame } },
      { control, slots, token_index, peaks },
      ({ scores }) => [scores.has('pooled-van') ? heads : 0],
    )
    .add(
      {
        module: 'ring_pooled_norms',
        constants: { capacity, layers, kv_heads: kvHeads, tokens_per_frame, grid_columns },
      },
      { control, slots, token_index, peaks, pooled },
      ({ scores, scanSlots }) => [scores.has('pooled-van') ? Math.ceil(scanSlots / 64) : 0, heads],
    )
    .add(
      { module: 'ring_prune', constants: { capacity } },
      { control, slots, free_list, scores: ledger.get('ring.scores'), pooled },
      [heads],
    );

  const drop = new ProgramBuilder().add(
    { module: 'ring_drop', constants: { capacity } },
    { control, slots, free_list },
    [heads],
  );

  const [resetProgram, pruneProgram, dropProgram] = await Promise.all([
    reset.build(gpu.device, 'ring reset'),
    prune.build(gpu.device, 'ring prune'),
    drop.build(gpu.device, 'ring drop'),
  ]);
  return { reset: resetProgram, prune: pruneProgram, drop: dropProgram };
}
