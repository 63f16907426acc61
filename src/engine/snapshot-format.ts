// How a saved memory stands in a file:
//
//   offset 0   8 bytes    "RINGSIDE"
//          8   u32        version of the format; little-endian, as all numbers here
//         12   u32        bytes of the header
//         16   f64        bytes of the payload
//         24   header     JSON in UTF-8, padded with spaces to a multiple of 8
//              payload    the ring's buffers
//              32 bytes   SHA-256 of everything before

import { OutOfMemoryError, SnapshotError } from './errors';

/** Raised whenever header or payload change their meaning. */
const VERSION = 5;

const MAGIC = new TextEncoder().encode('RINGSIDE');
const FIXED_BYTES = 24;
const DIGEST_BYTES = 32;

/** An opened snapshot; `payload` is a view of the bytes it was opened from. */
export interface OpenedSnapshot {
  readonly header: unknown;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/**
 * A snapshot whose payload is filled in place, then sealed, so that no second copy of it is ever needed.
 * @throws OutOfMemoryError when there is no room for so many bytes.
 */
export function newSnapshot(header: object, payloadBytes: number): SnapshotDraft {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = allocate(FIXED_BYTES + headerBytes + payloadBytes + DIGEST_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, headerBytes, true);
  view.setFloat64(16, payloadBytes, true);
  bytes.fill(0x20, FIXED_BYTES, FIXED_BYTES + headerBytes).set(json, FIXED_BYTES);
  return {
    payload: bytes.subarray(FIXED_BYTES + headerBytes, bytes.length - DIGEST_BYTES),
    async seal() {
      bytes.set(await checksum(bytes), bytes.length - DIGEST_BYTES);
      return bytes;
    },
  };
}

/** See {@link newSnapshot}. */
export interface SnapshotDraft {
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Writes the checksum and returns the whole. */
  seal(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Checks that the bytes are a snapshot, complete and unchanged.
 * @throws SnapshotError saying what is wrong with them.
 */
export async function openSnapshot(bytes: Uint8Array<ArrayBuffer>): Promise<OpenedSnapshot> {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw new SnapshotError('This is not a saved memory. Choose a file that Ringside saved.');
  }
  if (bytes.length < FIXED_BYTES) throw cutShort(bytes.length, FIXED_BYTES + DIGEST_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version > VERSION) {
    throw new SnapshotError(
      `The memory was saved by a newer Ringside (format ${version}; this one reads ${VERSION}). Update Ringside, then restore it.`,
    );
  }
  if (version < VERSION) {
    throw new SnapshotError(
      `The memory was saved by an older Ringside (format ${version}; this one reads ${VERSION}). Restore it with that one, or watch again what it saw.`,
    );
  }
  const headerEnd = FIXED_BYTES + view.getUint32(12, true);
  const payloadEnd = headerEnd + view.getFloat64(16, true);
  if (bytes.length < payloadEnd + DIGEST_BYTES) throw cutShort(bytes.length, payloadEnd + DIGEST_BYTES);
  const stored = bytes.subarray(bytes.length - DIGEST_BYTES);
  const right = await checksum(bytes);
  if (bytes.length !== payloadEnd + DIGEST_BYTES || !right.every((byte, i) => stored[i] === byte)) {
    throw new SnapshotError(
      'The saved memory is damaged: its checksum does not match its bytes. Copy the file again from where it was saved, or save once more.',
    );
  }
  return {
    header: JSON.parse(new TextDecoder().decode(bytes.subarray(FIXED_BYTES, headerEnd))),
    payload: bytes.subarray(headerEnd, payloadEnd),
  };
}

function cutShort(length: number, needed: number): SnapshotError {
  return new SnapshotError(
    `The saved memory is cut short or damaged: it has ${length} bytes of ${needed}. Copy the file again from where it was saved.`,
  );
}

async function checksum(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(
    await crypto.subtle.digest('SHA-256', bytes.subarray(0, bytes.length - DIGEST_BYTES)),
  );
}

function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new OutOfMemoryError(
      `There is no room for ${(length / 2 ** 20).toFixed(0)} MiB of saved memory. Close other tabs, or choose a smaller memory budget.`,
      { cause },
    );
  }
}
