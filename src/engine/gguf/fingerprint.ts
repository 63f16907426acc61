// Tells model files apart without reading them whole: by metadata, tensor list, and a few bytes of weights.

import { bytesToHex } from '@noble/hashes/utils.js';
import type { ModelFile } from './model-file';

/** Tensors sampled of a file, evenly over its list, and bytes read of each. */
const SAMPLED_TENSORS = 8;
const SAMPLE_BYTES = 4096;

/**
 * SHA-256, in hex, of the files' metadata and tensor lists and of samples of their weights: checkpoints of one
 * architecture, such as a model before and after more training, differ in nothing else.
 */
export async function fingerprint(files: readonly ModelFile[]): Promise<string> {
  const digests = await Promise.all(files.map(digestOf));
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(digests).arrayBuffer());
  return bytesToHex(new Uint8Array(digest));
}

async function digestOf(file: ModelFile): Promise<ArrayBuffer> {
  const tensors = [...file.tensors.values()];
  const described = JSON.stringify(
    [[...file.metadata.entries()], tensors.map(({ name, shape, type }) => [name, shape, type])],
    (_, value) => (typeof value === 'bigint' ? `${value}n` : value),
  );
  const count = Math.min(SAMPLED_TENSORS, tensors.length);
  const picked = Array.from({ length: count }, (_, i) => tensors[Math.floor((i * tensors.length) / count)]!);
  const samples = await Promise.all(
    picked.map(({ byteOffset, byteLength }) => {
      const bytes = Math.min(SAMPLE_BYTES, byteLength);
      return file.source.read(byteOffset + Math.floor((byteLength - bytes) / 2), bytes);
    }),
  );
  return crypto.subtle.digest('SHA-256', await new Blob([described, ...samples]).arrayBuffer());
}
