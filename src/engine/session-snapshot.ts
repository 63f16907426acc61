// Saving a session and going on from what was saved: what belongs to a snapshot, and which session it fits.

import { SnapshotError } from './errors';
import { POLICIES } from './memory/policies';
import type { RingState } from './memory/ring';
import type { RingShape } from './memory/ring-shape';
import { readRing, savedRingBytes, writeRing } from './memory/snapshot';
import type { Model } from './model';
import { newSnapshot, openSnapshot } from './snapshot-format';

/** What must be equal in the session that saved and the one that restores. */
interface Fit {
  /** Name and fingerprint of the model. */
  readonly model: { readonly name: string; readonly fingerprint: string };
  /** Visual tokens of a frame as the encoder lays them out. */
  readonly frame: { readonly rows: number; readonly columns: number };
  readonly visualTokens: number;
  /** The range that positions keep to. */
  readonly trainedPositions: number;
  readonly ring: RingShape;
}

/** The header of a snapshot. */
interface Header<S> {
  readonly fit: Fit;
  readonly ring: RingState;
  /** What the session knows besides. */
  readonly session: S;
}

/** A snapshot that was found to fit. */
export interface FittingSnapshot<S> extends Header<S> {
  readonly payload: Uint8Array<ArrayBuffer>;
}

/**
 * The model's ring and `session`, plain data, as one run of bytes. Nothing else may use the ring meanwhile.
 * @throws OutOfMemoryError when there is no room for the bytes.
 */
export async function takeSnapshot(model: Model, session: object): Promise<Uint8Array<ArrayBuffer>> {
  const { gpu, ledger, ring } = model;
  const header: Header<object> = { fit: fitOf(model), ring: ring.state, session };
  const draft = newSnapshot(header, savedRingBytes(ring.shape, ring.scanSlots));
  await readRing(gpu.device, ledger, ring.shape, ring.scanSlots, draft.payload);
  return draft.seal();
}

/**
 * Checks a snapshot through; changes nothing.
 * @param S what was given to `takeSnapshot`.
 * @throws SnapshotError when it is damaged, or was taken with another model or other sizes.
 */
export async function fittingSnapshot<S>(
  model: Model,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<FittingSnapshot<S>> {
  const { header, payload } = await openSnapshot(bytes);
  const { fit, ring, session } = header as Header<S>;
  const here = fitOf(model);
  if (fit.model.fingerprint !== here.model.fingerprint) {
    throw new SnapshotError(
      fit.model.name === here.model.name
        ? `The memory was saved with other files of ${here.model.name} than those loaded. Load the files it was saved with, then restore it.`
        : `The memory was saved with ${fit.model.name}, but ${here.model.name} is loaded. Load ${fit.model.name}, then restore it.`,
    );
  }
  if (sizes(fit) !== sizes(here)) {
    throw new SnapshotError(
      `The memory was saved with ${sizes(fit)}, but the model is loaded with ${sizes(here)}. Load it with the former, then restore.`,
    );
  }
  const { policy } = ring.retention;
  if (!(policy in POLICIES)) {
    throw new SnapshotError(
      `The memory was saved under the policy '${policy}', which this Ringside does not know. Update Ringside, then restore it.`,
    );
  }
  return { fit, ring, session, payload };
}

/** Puts the ring as it was saved; the model's decoder and ring must be idle. */
export async function putBack(model: Model, { ring, payload }: FittingSnapshot<unknown>): Promise<void> {
  model.ring.restore(ring);
  await writeRing(model.gpu.device, model.ledger, model.ring.shape, model.ring.scanSlots, payload);
}

function fitOf({ name, fingerprint, grid, ring, trainedPositions }: Model): Fit {
  return {
    model: { name, fingerprint },
    frame: { rows: grid.tokenRows, columns: grid.tokenCols },
    visualTokens: ring.visualCapacity,
    trainedPositions,
    ring: ring.shape,
  };
}

/** All that must fit besides the model, in words. The rest of the ring's shape follows from the model. */
function sizes({ frame, visualTokens, trainedPositions, ring }: Fit): string {
  const { capacity, kvFormat } = ring;
  return `room for ${visualTokens} visual tokens and ${capacity - visualTokens} of text, frames of ${frame.columns} × ${frame.rows} tokens, ${trainedPositions} trained positions and keys and values in ${kvFormat}`;
}
