// Every kind of pre-tokenizer against Hugging Face's tokenizers, on thousands of hard lines in every script. True
// vocabularies are too large to keep: RINGSIDE_TOKENIZERS names files of goldens made from them
// (reference/fixture_tokenizers.py), by colons.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Metadata, type MetadataValue } from '../gguf/metadata';
import { TextStream, Tokenizer } from './tokenizer';

interface Golden {
  readonly metadata: Record<string, MetadataValue>;
  readonly ids: readonly number[][];
}

const folder = fileURLToPath(new URL('../../../reference/fixtures/tokenizers/', import.meta.url));
const read = <T>(path: string) => JSON.parse(gunzipSync(readFileSync(path)).toString()) as T;
const lines = read<string[]>(`${folder}lines.json.gz`);
const goldens = (kind: string) => read<Golden>(`${folder}${kind}.json.gz`);
const tokenizerOf = ({ metadata }: Golden, change: Record<string, MetadataValue> = {}) =>
  new Tokenizer(new Metadata('model.gguf', Object.entries({ ...metadata, ...change })));

const KINDS = ['qwen2', 'qwen35', 'llama-bpe', 'smollm'];
const trueFiles = (process.env.RINGSIDE_TOKENIZERS ?? '').split(':').filter(Boolean);

describe.each([...KINDS.map((kind) => `${folder}${kind}.json.gz`), ...trueFiles])('%s', (path) => {
  const golden = read<Golden>(path);
  const tokenizer = tokenizerOf(golden);

  it('gives the ids of the reference for every line', () => {
    expect(lines.length).toBeGreaterThan(2000);
    const different = lines
      .map((line, i) => ({ line, ids: tokenizer.encode(line, { parseSpecial: true }), want: golden.ids[i] }))
      .filter(({ ids, want }) => ids.join() !== want!.join());
    expect(different).toEqual([]);
  });

  it('gives every line back, at once and token by token', () => {
    for (const line of lines) {
      const ids = tokenizer.encodeUserText(line);
      const text = tokenizer.decode(ids);
      expect(text.normalize('NFC')).toBe(line.normalize('NFC'));
      const stream = new TextStream(tokenizer);
      expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(text);
    }
  });
});

it('lfm2 is as llama-bpe', () => {
  const golden = goldens('llama-bpe');
  const tokenizer = tokenizerOf(golden, { 'tokenizer.ggml.pre': 'lfm2' });
  expect(lines.map((line) => tokenizer.encode(line, { parseSpecial: true }))).toEqual(golden.ids);
});

it('the kinds differ where they should', () => {
  const tokens = (kind: string, text: string) => {
    const golden = goldens(kind);
    const names = golden.metadata['tokenizer.ggml.tokens'] as string[];
    return tokenizerOf(golden)
      .encode(text)
      .map((id) => names[id]);
  };
  const numbers = KINDS.map((kind) => tokens(kind, 'a 678').length);
  expect(numbers).toEqual([5, 5, 3, 5]);
  // A token that no merge leads to is taken whole by one kind only.
  expect(KINDS.map((kind) => tokens(kind, ' English').length === 1)).toEqual([false, false, true, false]);
  // Letters with the space before them; a mark is part of the word or not.
  expect(tokens('qwen2', 'e\u0301').join('')).toBe('Ã©');
  expect(tokens('smollm', 'e\u0301').join('')).toBe('eÌģ');
});

it.each(KINDS)('%s takes half a surrogate pair for an unknown character', (kind) => {
  const tokenizer = tokenizerOf(goldens(kind));
  for (const half of ['\ud83d', '\ude00']) {
    expect(tokenizer.encode(`a${half} b`)).toEqual(tokenizer.encode('a\ufffd b'));
  }
});

it('a piece of 100,000 characters is no harder than a short one', () => {
  const tokenizer = tokenizerOf(goldens('qwen2'));
  for (const character of ['a', ' ', '\u7403']) {
    const text = character.repeat(100_000);
    const started = process.cpuUsage().user;
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    // Milliseconds of this process; a quadratic way takes minutes.
    expect((process.cpuUsage().user - started) / 1000).toBeLessThan(5000);
  }
});
