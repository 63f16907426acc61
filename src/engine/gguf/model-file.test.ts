// Opening GGUF files: what a sound one says, and that every kind of damage is named.
import { describe, expect, it } from 'vitest';
import { ModelFormatError } from '../errors';
import { bytesSource } from './byte-source';
import { openModelFile } from './model-file';
import { type FixtureTensor, ggufBytes } from './testing/gguf-fixture';

const metadata = {
  'general.architecture': 'qwen2vl',
  'qwen2vl.block_count': 2,
  'qwen2vl.rope.freq_base': 0.5,
  'qwen2vl.rope.dimension_sections': [16, 24, 24, 0],
  'tokenizer.ggml.tokens': ['a', 'é', '日本'],
  'tokenizer.ggml.add_bos_token': false,
};

const f32 = (values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer);
const norm: FixtureTensor = { name: 'norm.weight', shape: [4], type: 'F32', data: f32([1, 2, 3, 4]) };
const conv: FixtureTensor = {
  name: 'conv.weight',
  shape: [2, 3, 2, 4],
  type: 'F16',
  data: new Uint8Array(96),
};
const quantised: FixtureTensor = {
  name: 'q.weight',
  shape: [3, 32],
  type: 'Q8_0',
  data: new Uint8Array(102).fill(7),
};
const tensors = [norm, conv, quantised];

const sound = ggufBytes(metadata, tensors);
const open = (bytes: Uint8Array<ArrayBuffer>) => openModelFile(bytesSource(bytes, 'model.gguf'));

/** A copy of the sound file with a change made to it. */
function changed(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array<ArrayBuffer> {
  const bytes = sound.slice();
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** Where a text stands in the sound file. */
function find(text: string): number {
  return new TextDecoder('latin1').decode(sound).indexOf(text);
}

describe('a sound file', () => {
  it('gives its metadata by type', async () => {
    const file = await open(sound);
    expect(file.version).toBe(3);
    expect([...file.metadata.entries()].map(([key]) => key)).toEqual(Object.keys(metadata));
    expect(file.metadata.string('general.architecture')).toBe('qwen2vl');
    expect(file.metadata.number('qwen2vl.block_count')).toBe(2);
    expect(file.metadata.number('qwen2vl.rope.freq_base')).toBe(0.5);
    expect(file.metadata.numbers('qwen2vl.rope.dimension_sections')).toEqual([16, 24, 24, 0]);
    expect(file.metadata.strings('tokenizer.ggml.tokens')).toEqual(['a', 'é', '日本']);
    expect(file.metadata.boolean('tokenizer.ggml.add_bos_token')).toBe(false);
    expect(file.metadata.number('absent', 7)).toBe(7);
  });

  it('names key and file where metadata is not what is asked for', async () => {
    const file = await open(sound);
    expect(() => file.metadata.string('absent')).toThrow('model.gguf: the metadata has no "absent"');
    expect(() => file.metadata.number('general.architecture')).toThrow(
      'model.gguf: metadata "general.architecture" should be a number, but is string qwen2vl',
    );
    expect(() => file.metadata.strings('qwen2vl.rope.dimension_sections')).toThrow(
      'should be a list of texts',
    );
    expect(() => file.metadata.numbers('qwen2vl.block_count')).toThrow(ModelFormatError);
  });

  it('lists tensors with the outermost dimension first', async () => {
    const file = await open(sound);
    expect([...file.tensors.keys()]).toEqual(['norm.weight', 'conv.weight', 'q.weight']);
    expect(file.tensors.get('norm.weight')).toMatchObject({ shape: [4], rows: 1, cols: 4, byteLength: 16 });
    expect(file.tensors.get('conv.weight')).toMatchObject({ shape: [2, 3, 2, 4], rows: 12, cols: 4 });
    expect(file.weight('q.weight')).toMatchObject({
      shape: [3, 32],
      type: 'Q8_0',
      format: 'q8_0',
      byteLength: 102,
    });
  });

  it('reads values, and ranges of rows', async () => {
    const file = await open(sound);
    expect(await file.values('norm.weight')).toEqual(new Float32Array([1, 2, 3, 4]));
    const rows = await file.read(file.weight('q.weight'), { firstRow: 1, rowCount: 2 });
    expect(rows).toEqual(new Uint8Array(68).fill(7));
  });

  it('names a tensor that is missing', async () => {
    const file = await open(sound);
    expect(() => file.weight('output.weight')).toThrow('model.gguf has no tensor "output.weight"');
  });

  it.each([
    ['IQ4_XS', 136],
    ['TQ2_0', 66],
    ['Q2_K', 84],
    ['Q3_K', 110],
    ['Q8_K', 292],
  ] as const)(
    'opens with a %s tensor, and says what to download when it is asked for',
    async (type, bytes) => {
      const file = await open(
        ggufBytes({}, [{ name: 'k', shape: [1, 256], type, data: new Uint8Array(bytes) }]),
      );
      expect(file.tensors.get('k')).toMatchObject({ type, byteLength: bytes });
      const asked = () => file.weight('k');
      expect(asked).toThrow(ModelFormatError);
      expect(asked).toThrow(`model.gguf: tensor "k" is of type ${type}, which this engine does not run`);
      expect(asked).toThrow(/it runs F32, .*Q4_K, Q5_K, Q6_K\. Download the Q4_K_M, .*same model/);
    },
  );

  it('may have a header of several pieces', async () => {
    const words = Array.from({ length: 200_000 }, (_, i) => `token number ${i}`);
    const file = await open(ggufBytes({ words, after: 'end' }, [norm]));
    expect(file.metadata.strings('words')).toEqual(words);
    expect(file.metadata.string('after')).toBe('end');
    expect(await file.values('norm.weight')).toEqual(new Float32Array([1, 2, 3, 4]));
  });
});

describe('a file that is not sound', () => {
  const text = (content: string) => new TextEncoder().encode(content);
  const tensorEntry = find('q.weight') + 'q.weight'.length;

  it.each<[string, Uint8Array<ArrayBuffer>, RegExp]>([
    ['empty', new Uint8Array(0), /is not a GGUF file: it is empty/],
    ['a web page', text('<!doctype html><title>Not found</title>'), /it is a web page/],
    ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1'), /Git LFS pointer/],
    ['of another format', text('PK something else altogether'), /does not begin with the letters GGUF/],
    ['only a magic', text('GGUF'), /cut short at 4 bytes: its header is incomplete/],
    ['of version 1', changed((view) => view.setUint32(4, 1, true)), /is of GGUF version 1/],
    ['big-endian', changed((view) => view.setUint32(4, 3, false)), /written for big-endian machines/],
    ['counting too many tensors', changed((view) => view.setUint32(8, 1 << 30, true)), /1073741824 tensors/],
    ['counting too many values', changed((view) => view.setUint32(20, 1, true)), /do not fit in that/],
    [
      'with a value of no type',
      changed((view) => view.setUint32(find('general.arch') + 20, 99, true)),
      /header cannot be read/,
    ],
    [
      'with a text of 4 GiB',
      changed((view) => view.setUint32(find('qwen2vl') - 8, 2 ** 32 - 1, true)),
      /header cannot be read/,
    ],
    [
      'with a longer list than it has',
      changed((view) => view.setUint32(find('\x10\0\0\0\x18\0\0\0') - 8, 900_000, true)),
      /cut short/,
    ],
    [
      'with an unknown tensor type',
      changed((view) => view.setUint32(tensorEntry + 20, 99, true)),
      /tensor "q\.weight" is of unknown type 99.*Q4_K_M, Q4_0 or Q8_0/,
    ],
    [
      'with part of a block',
      changed((view) => view.setUint32(tensorEntry + 4, 33, true)),
      /rows of 33 elements, which are no whole Q8_0 blocks of 32/,
    ],
    [
      'with an empty tensor',
      changed((view) => view.setUint32(tensorEntry + 4, 0, true)),
      /has the shape \[3, 0\]/,
    ],
    [
      'with a tensor between alignments',
      changed((view) => view.setUint32(tensorEntry + 24, 40, true)),
      /not aligned to 32 bytes/,
    ],
    [
      'with a tensor beyond its end',
      changed((view) => view.setUint32(tensorEntry + 24, 6400, true)),
      /cut short at .* tensor "q\.weight" ends at byte/,
    ],
    [
      'naming a tensor twice',
      changed((_, bytes) => bytes.set(text('norm.weight'), find('conv.weight'))),
      /"norm\.weight" is listed twice/,
    ],
    ['of a strange alignment', ggufBytes({ 'general.alignment': 24 }), /its alignment is 24/],
  ])('%s', async (_, bytes, message) => {
    const opening = open(bytes);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/^model\.gguf/);
    await expect(opening).rejects.toBeInstanceOf(ModelFormatError);
  });

  it('cut at any byte', async () => {
    for (let length = 0; length < sound.length - 32; length += 7) {
      await expect(open(sound.slice(0, length))).rejects.toBeInstanceOf(ModelFormatError);
    }
  });

  it('with any byte changed opens or names the damage, and never fails otherwise', async () => {
    for (let at = 0; at < sound.length; at++) {
      const opening = open(changed((_, bytes) => bytes.fill(bytes[at]! ^ 0xff, at, at + 1)));
      await opening.catch((error: unknown) => expect(error).toBeInstanceOf(ModelFormatError));
    }
  });
});
