// The header against a parser nobody here wrote, across the borders of its pieces, and with claims that no
// file can keep.
import { readFileSync } from 'node:fs';
import { GGMLQuantizationType, gguf } from '@huggingface/gguf';
import { describe, expect, it } from 'vitest';
import { ModelFormatError } from '../errors';
import { type ByteSource, bytesSource } from './byte-source';
import { readHeader } from './header';
import { tensorType } from './tensor-types';
import { ggufBytes } from './testing/gguf-fixture';

const encoder = new TextEncoder();

/** Little-endian bytes of a header, written number by number. */
class Writer {
  readonly #out: number[] = [];

  number(size: number, write: (view: DataView) => void): this {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    this.#out.push(...new Uint8Array(view.buffer));
    return this;
  }
  u32(value: number): this {
    return this.number(4, (view) => view.setUint32(0, value, true));
  }
  u64(value: bigint | number): this {
    return this.number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }
  text(value: string): this {
    const bytes = encoder.encode(value);
    this.u64(bytes.length).#out.push(...bytes);
    return this;
  }
  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#out);
  }
}

/** Magic, version and counts. */
function preamble(values: number, tensors = 0, version = 3): Writer {
  return new Writer().u32(0x46554747).u32(version).u64(tensors).u64(values);
}

/** The header as @huggingface/gguf reads it. */
async function referee(bytes: Uint8Array<ArrayBuffer>) {
  const { metadata, tensorInfos } = await gguf('https://model.invalid/file.gguf', {
    fetch: async (_, init) => {
      const range = new Headers(init?.headers).get('range')!.match(/^bytes=(\d+)-(\d+)$/)!;
      return new Response(bytes.slice(Number(range[1]), Number(range[2]) + 1), { status: 206 });
    },
  });
  const { version, tensor_count, kv_count, ...values } = metadata as Record<string, unknown>;
  return {
    version,
    metadata: values,
    tensors: tensorInfos.map(({ name, shape, dtype, offset }) => ({
      name,
      dimensions: shape.map(Number),
      type: dtype as number,
      offset: Number(offset),
    })),
  };
}

async function ours(bytes: Uint8Array<ArrayBuffer>) {
  const { version, metadata, tensors } = await readHeader(bytesSource(bytes, 'model.gguf'));
  return { version, metadata: Object.fromEntries(metadata), tensors };
}

/** A source of any size that holds `bytes` and then zeros, and counts what is read. */
function counted(bytes: Uint8Array<ArrayBuffer>, size: number) {
  const reads: number[] = [];
  const source: ByteSource = {
    name: 'model.gguf',
    size,
    async read(offset, length) {
      reads.push(length);
      const out = new Uint8Array(length);
      out.set(bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length)));
      return out;
    },
  };
  return { source, reads };
}

describe('as @huggingface/gguf reads them', () => {
  const fixtures = '../../../reference/fixtures/';
  it.each(['gqa1-hd32-bf16.model', 'gqa2-hd32-q4_0.model', 'gqa2-hd80.mmproj', 'wllama.mmproj'])(
    '%s.gguf',
    async (name) => {
      const bytes = new Uint8Array(readFileSync(new URL(`${fixtures}${name}.gguf`, import.meta.url)));
      const header = await ours(bytes);
      expect(header).toEqual(await referee(bytes));
      expect(header.tensors.length).toBeGreaterThan(10);
    },
  );

  it.each([2, 3])('values of every type, version %i', async (version) => {
    const header = preamble(14, 2, version);
    const value = (key: string, type: number) => header.text(key).u32(type);
    value('u8', 0).number(1, (view) => view.setUint8(0, 255));
    value('i8', 1).number(1, (view) => view.setInt8(0, -128));
    value('u16', 2).number(2, (view) => view.setUint16(0, 65535, true));
    value('i16', 3).number(2, (view) => view.setInt16(0, -2, true));
    value('u32', 4).u32(4294967295);
    value('i32', 5).number(4, (view) => view.setInt32(0, -3, true));
    value('f32', 6).number(4, (view) => view.setFloat32(0, 0.1, true));
    value('bool', 7).number(1, (view) => view.setUint8(0, 1));
    value('text', 8).text('日本 \u{1f600}\n');
    value('u64', 10).u64(2n ** 64n - 1n);
    value('i64', 11).number(8, (view) => view.setBigInt64(0, -(2n ** 63n), true));
    value('f64', 12).number(8, (view) => view.setFloat64(0, Math.PI, true));
    value('empty', 9).u32(8).u64(0);
    value('lists', 9).u32(9).u64(2).u32(8).u64(2).text('a').text('').u32(2).u64(1);
    header.number(2, (view) => view.setUint16(0, 7, true));
    header.text('scalar').u32(0).u32(0).u64(0);
    header.text('cube').u32(4).u64(4).u64(3).u64(2).u64(1).u32(12).u64(32);
    const read = await ours(header.bytes());
    expect(read.metadata.lists).toEqual([['a', ''], [7]]);
    expect(read).toEqual(await referee(header.bytes()));
  });

  it('numbers of tensor types', () => {
    for (const id of Array(64).keys()) {
      const type = tensorType(id);
      if (type) expect(GGMLQuantizationType[id]).toBe(type.name);
    }
    expect(tensorType(GGMLQuantizationType.Q4_K)).toEqual({
      name: 'Q4_K',
      blockElements: 256,
      blockBytes: 144,
    });
    expect(tensorType(1000)).toBeUndefined();
  });
});

it('reads a vocabulary across the borders of its pieces, and not much beyond', async () => {
  // Texts of 0 to 46 bytes, of one to four bytes a character, so that borders fall on every part of one.
  const words = Array.from({ length: 120_000 }, (_, i) =>
    ['a', 'é', '日', '\u{1f600}'][i % 4]!.repeat(i % 13),
  );
  const bytes = ggufBytes({ words, after: 'end' });
  const { source, reads } = counted(bytes, 2 ** 40);
  const { metadata, byteLength } = await readHeader(source);
  expect(metadata.get('words')).toEqual(words);
  expect(metadata.get('after')).toBe('end');
  expect(byteLength).toBeLessThanOrEqual(bytes.length);
  expect(reads.length).toBeGreaterThan(1);
  expect(reads.reduce((sum, length) => sum + length, 0)).toBeLessThan(2 * bytes.length);
});

it('keeps a byte order mark, and keys that name properties of every object', async () => {
  const { metadata } = await readHeader(
    bytesSource(ggufBytes({ tokens: ['\ufeff', 'a'], constructor: 'c', version: 'v' }), 'model.gguf'),
  );
  expect([...metadata]).toEqual([
    ['tokens', ['\ufeff', 'a']],
    ['constructor', 'c'],
    ['version', 'v'],
  ]);
});

describe('claims no file can keep', () => {
  const huge = 2n ** 63n;
  const nested = (levels: number) => {
    const header = preamble(1).text('k').u32(9);
    for (let i = 1; i < levels; i++) header.u32(9).u64(1);
    return header.u32(0).u64(0);
  };
  it.each<[string, Writer, RegExp]>([
    ['a key', preamble(1).u64(huge), /a key of length 9223372036854776000 at byte 32/],
    [
      'a text',
      preamble(1)
        .text('k')
        .u32(8)
        .u64(2 ** 39),
      /a text of length/,
    ],
    [
      'a list of texts',
      preamble(1)
        .text('k')
        .u32(9)
        .u32(8)
        .u64(2 ** 36),
      /a list of length/,
    ],
    [
      'a list of bytes',
      preamble(1)
        .text('k')
        .u32(9)
        .u32(0)
        .u64(2 ** 36),
      /a list of length/,
    ],
    ['a list of lists', preamble(1).text('k').u32(9).u32(9).u64(huge), /a list of length/],
    ['a list of no type', preamble(1).text('k').u32(9).u32(13).u64(0), /a list of unknown type 13/],
    ['a value of no type', preamble(1).text('k').u32(13), /a value of unknown type 13/],
    ['lists in lists', nested(100_000), /lists too deep/],
    ['endless values', preamble(2 ** 32), /listed twice/],
    ['a tensor of many dimensions', preamble(0, 1).text('t').u32(5), /tensor "t" of 5 dimensions/],
    ['the name of a tensor', preamble(0, 1).u64(2 ** 36), /the name of a tensor of length/],
  ])('%s', async (_, header, message) => {
    // The file could be that long, but no header is.
    const { source, reads } = counted(header.bytes(), 2 ** 40);
    const reading = readHeader(source);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toBeInstanceOf(ModelFormatError);
    expect(reads.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(2 ** 21);
  });

  it('in a short file are cuts', async () => {
    const bytes = preamble(1).text('key').u32(8).u64(1000).bytes();
    await expect(readHeader(bytesSource(bytes, 'model.gguf'))).rejects.toThrow(
      `model.gguf is cut short at ${bytes.length} bytes: its header is incomplete`,
    );
  });

  it('stops when aborted', async () => {
    const bytes = ggufBytes({ key: 'value' });
    const reading = readHeader(bytesSource(bytes, 'model.gguf'), AbortSignal.abort(new Error('enough')));
    await expect(reading).rejects.toThrow('enough');
  });
});
