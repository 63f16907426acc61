// The ring's buffers as bytes, for saving and restoring: read through one small staging buffer that the memory
// plan has from the start, so that saving creates nothing on the GPU. Only slots ever used are taken.

import type { Ledger } from '../gpu/ledger';
import type { BufferSpec } from '../gpu/memory-plan';
import { type RingShape, rowWords, SLOT_WORDS } from './ring-shape';

/** Bytes read back, or written, at a time. */
const CHUNK_BYTES = 512 * 1024;

const STAGING = 'snapshot.staging';

/** The line of the memory plan that saving needs. */
export function planSnapshot(): BufferSpec {
  return { name: STAGING, kind: 'staging', purpose: 'readback', bytes: CHUNK_BYTES };
}

/** Consecutive bytes of a buffer; offset and length are multiples of 4. */
interface BufferRange {
  readonly buffer: string;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * What is saved, in this order:
 * - slots, `[layers][kvHeads][scanSlots]` Slot, and free lists, `[layers][kvHeads][capacity]` u32,
 * - for each layer its keys, then its values, `[kvHeads][scanSlots][headDim]` as `kvFormat` says.
 */
function* savedRanges(shape: RingShape, scanSlots: number): Generator<BufferRange, void> {
  const { layers, kvHeads, capacity } = shape;
  const heads = (buffer: string, count: number, slotBytes: number, slots: number): BufferRange[] =>
    Array.from({ length: count }, (_, head) => ({
      buffer,
      offset: head * capacity * slotBytes,
      bytes: slots * slotBytes,
    }));
  yield* heads('ring.slots', layers * kvHeads, SLOT_WORDS * 4, scanSlots);
  yield* heads('ring.free', layers * kvHeads, 4, capacity);
  for (let layer = 0; layer < layers; layer++) {
    yield* heads(`ring.keys.${layer}`, kvHeads, rowWords(shape) * 4, scanSlots);
    yield* heads(`ring.values.${layer}`, kvHeads, rowWords(shape) * 4, scanSlots);
  }
}

/** Bytes that `readRing` fills. */
export function savedRingBytes(shape: RingShape, scanSlots: number): number {
  let bytes = 0;
  for (const range of savedRanges(shape, scanSlots)) bytes += range.bytes;
  return bytes;
}

/** The ranges cut and gathered so that each group fills at most one chunk. */
function* chunks(shape: RingShape, scanSlots: number): Generator<readonly BufferRange[], void> {
  let group: BufferRange[] = [];
  let room = CHUNK_BYTES;
  for (const { buffer, offset, bytes } of savedRanges(shape, scanSlots)) {
    for (let at = 0; at < bytes; ) {
      const length = Math.min(room, bytes - at);
      group.push({ buffer, offset: offset + at, bytes: length });
      at += length;
      room -= length;
      if (room > 0) continue;
      yield group;
      group = [];
      room = CHUNK_BYTES;
    }
  }
  if (group.length > 0) yield group;
}

/**
 * Reads the ring back. Nothing else may work on it, nor read it, until that is done.
 * @param into `savedRingBytes` bytes.
 */
export async function readRing(
  device: GPUDevice,
  ledger: Ledger,
  shape: RingShape,
  scanSlots: number,
  into: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const staging = ledger.get(STAGING);
  let done = 0;
  for (const group of chunks(shape, scanSlots)) {
    const encoder = device.createCommandEncoder({ label: 'save' });
    let filled = 0;
    for (const { buffer, offset, bytes } of group) {
      encoder.copyBufferToBuffer(ledger.get(buffer), offset, staging, filled, bytes);
      filled += bytes;
    }
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ, 0, filled);
    into.set(new Uint8Array(staging.getMappedRange(0, filled)), done);
    staging.unmap();
    done += filled;
  }
}

/** Writes what `readRing` read into a ring of the same shape that is empty otherwise. */
export async function writeRing(
  device: GPUDevice,
  ledger: Ledger,
  shape: RingShape,
  scanSlots: number,
  saved: Uint8Array<ArrayBuffer>,
): Promise<void> {
  let done = 0;
  for (const group of chunks(shape, scanSlots)) {
    for (const { buffer, offset, bytes } of group) {
      device.queue.writeBuffer(ledger.get(buffer), offset, saved, done, bytes);
      done += bytes;
    }
    // Each write waits in memory of the driver's own until it is done: no more than a chunk at a time.
    await device.queue.onSubmittedWorkDone();
  }
}
