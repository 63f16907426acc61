// Text to token ids and back, for byte-level BPE of the Qwen2 kind, built from a GGUF file's metadata.
// Special tokens are never part of the BPE vocabulary here, so plain text can never turn into one.
import { Tokenizer as BpeTokenizer } from '@huggingface/tokenizers';
import { ModelFormatError } from '../errors';
import type { Metadata } from '../gguf/metadata';

/** Qwen2's pre-tokenizer, as in the `tokenizer.json` it is published with. */
const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Token types of `tokenizer.ggml.token_type`. */
const TOKEN_TYPE = { control: 3, userDefined: 4, unused: 5 } as const;

/** Tokens that end an answer of a chat model whatever the metadata says. */
const END_TOKENS = ['<|im_end|>', '<|endoftext|>'];

export interface EncodeOptions {
  /** Recognise special tokens such as `<|im_end|>` inside the text; only for text the engine wrote itself. */
  readonly parseSpecial?: boolean;
}

/** The tokenizer of one model file. */
export class Tokenizer {
  /** Ids in the vocabulary, special and unused ones included. */
  readonly size: number;
  /** Tokens after which an answer has ended. */
  readonly eosTokenIds: ReadonlySet<number>;
  readonly #fileName: string;
  readonly #tokens: readonly string[];
  readonly #types: readonly number[];
  readonly #bpe: BpeTokenizer;
  readonly #special = new Map<string, number>();
  readonly #specialPattern: RegExp | undefined;

  /** @throws ModelFormatError when the file has no byte-level BPE tokenizer of the Qwen2 kind. */
  constructor(metadata: Metadata) {
    requireKind(metadata, 'tokenizer.ggml.model', 'gpt2');
    requireKind(metadata, 'tokenizer.ggml.pre', 'qwen2');
    this.#fileName = metadata.fileName;
    this.#tokens = metadata.strings('tokenizer.ggml.tokens');
    this.#types = metadata.numbers('tokenizer.ggml.token_type');
    this.size = this.#tokens.length;
    if (this.#types.length !== this.size) {
      throw new ModelFormatError(
        `${metadata.fileName} is damaged: it has ${this.size} tokens, but types of ${this.#types.length}. Download it again.`,
      );
    }
    // Without a prototype, so that a token called "__proto__" is a token like any other.
    const vocab: Record<string, number> = Object.create(null);
    this.#tokens.forEach((token, id) => {
      const type = this.#types[id];
      if (type === TOKEN_TYPE.control || type === TOKEN_TYPE.userDefined) this.#special.set(token, id);
      else if (type !== TOKEN_TYPE.unused) vocab[token] = id;
    });
    this.#bpe = bpeTokenizer(vocab, metadata.strings('tokenizer.ggml.merges'));
    this.#specialPattern = alternatives([...this.#special.keys()]);
    this.eosTokenIds = new Set(
      [
        ...['tokenizer.ggml.eos_token_id', 'tokenizer.ggml.eot_token_id']
          .filter((key) => metadata.has(key))
          .map((key) => metadata.number(key)),
        ...END_TOKENS.map((name) => this.#special.get(name)),
      ].filter((id) => id !== undefined),
    );
  }

  /** Ids of a text; nothing is added at its ends. Special tokens are plain text unless `parseSpecial`. */
  encode(text: string, { parseSpecial = false }: EncodeOptions = {}): number[] {
    if (!parseSpecial || !this.#specialPattern) return this.encodeUserText(text);
    return text
      .split(this.#specialPattern)
      .flatMap((part) => this.#special.get(part) ?? this.encodeUserText(part));
  }

  /** Ids of text from outside, which never holds a special token whatever it says. */
  encodeUserText(text: string): number[] {
    return text === '' ? [] : this.#bpe.encode(text, { add_special_tokens: false }).ids;
  }

  /** The text of ids. Special tokens are left out; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string {
    const stream = new TextStream(this);
    let text = '';
    for (const id of ids) text += stream.push(id);
    return text + stream.end();
  }

  /** The bytes a token stands for; none for special and unused ones. An id outside the vocabulary has none. */
  bytesOf(id: number): Uint8Array {
    const type = this.#types[id];
    if (type === undefined || type === TOKEN_TYPE.control || type === TOKEN_TYPE.unused)
      return new Uint8Array(0);
    const token = this.#tokens[id]!;
    if (type === TOKEN_TYPE.userDefined) return new TextEncoder().encode(token);
    return Uint8Array.from(token, (character) => BYTE_OF_CHARACTER.get(character) ?? '?'.charCodeAt(0));
  }

  /** Id of a special token by its name, such as `<|vision_start|>`. @throws ModelFormatError if there is none. */
  idOf(name: string): number {
    const id = this.#special.get(name);
    if (id !== undefined) return id;
    throw new ModelFormatError(
      `${this.#fileName} has no special token ${name}; it is not the kind of model that is needed here.`,
    );
  }
}

/** Turns ids into text one by one, holding back a character until all its bytes are there. */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that became complete with this token; often empty inside a character. */
  push(id: number): string {
    return this.#utf8.decode(this.#tokenizer.bytesOf(id), { stream: true });
  }

  /** What was held back: nothing, or U+FFFD where the text ended inside a character. */
  end(): string {
    return this.#utf8.decode();
  }
}

function requireKind(metadata: Metadata, key: string, wanted: string): void {
  const found = metadata.string(key);
  if (found === wanted) return;
  throw new ModelFormatError(
    `${metadata.fileName}: the tokenizer is of a kind this engine does not know (${key} is "${found}", not "${wanted}").`,
  );
}

/** The library's tokenizer, given what a `tokenizer.json` without added tokens would hold. */
function bpeTokenizer(vocab: Record<string, number>, merges: readonly string[]): BpeTokenizer {
  return new BpeTokenizer(
    {
      added_tokens: [],
      normalizer: { type: 'NFC' },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: QWEN2_PATTERN }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab, merges, unk_token: null, byte_fallback: false, ignore_merges: false },
    },
    {},
  );
}

/** A pattern that splits a text at any of the words and keeps them; a word wins over its own beginning. */
function alternatives(words: readonly string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  const escaped = [...words]
    .sort((a, b) => b.length - a.length)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`(${escaped.join('|')})`);
}

/**
 * GPT-2's byte alphabet: printable bytes stand for themselves, the other 68 for U+0100 onwards in order.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return map;
})();
