// Text to token ids and back, for byte-level BPE, built from a GGUF file's metadata. Special tokens are never part
// of the BPE vocabulary here, so plain text can never turn into one.
import { ModelFormatError } from '../errors';
import type { Metadata } from '../gguf/metadata';
import { BYTE_CHARACTERS, BytePairs } from './byte-pairs';
import { cutText, PRE_TOKENIZER_NAMES, type PreTokenizer, preTokenizer } from './pre-tokenizer';

/** Token types of `tokenizer.ggml.token_type`. */
const TOKEN_TYPE = { control: 3, userDefined: 4, unused: 5 } as const;

/** Tokens that end an answer of a chat model whatever the metadata says. */
const END_TOKENS = ['<|im_end|>', '<|endoftext|>', '<end_of_utterance>'];

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
  readonly #pre: PreTokenizer;
  readonly #pairs: BytePairs;
  readonly #special = new Map<string, number>();
  readonly #specialPattern: RegExp | undefined;

  /** @throws ModelFormatError when the file has no byte-level BPE tokenizer, or one of a kind that is not known. */
  constructor(metadata: Metadata) {
    this.#pre = readPreTokenizer(metadata);
    this.#fileName = metadata.fileName;
    this.#tokens = metadata.strings('tokenizer.ggml.tokens');
    this.#types = metadata.numbers('tokenizer.ggml.token_type');
    this.size = this.#tokens.length;
    if (this.#types.length !== this.size) {
      throw new ModelFormatError(
        `${metadata.fileName} is damaged: it has ${this.size} tokens, but types of ${this.#types.length}. Download it again.`,
      );
    }
    const ordinary = new Map<string, number>();
    this.#tokens.forEach((token, id) => {
      const type = this.#types[id];
      if (type === TOKEN_TYPE.control || type === TOKEN_TYPE.userDefined) this.#special.set(token, id);
      else if (type !== TOKEN_TYPE.unused) ordinary.set(token, id);
    });
    const merges = metadata.strings('tokenizer.ggml.merges');
    this.#pairs = new BytePairs(ordinary, merges, this.size, this.#pre.wholePieces);
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
    return cutText(text, this.#pre).flatMap((piece) => this.#pairs.encode(piece));
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
    const bytes = new Uint8Array(token.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = BYTE_OF_CODE[token.charCodeAt(i)] ?? '?'.charCodeAt(0);
    return bytes;
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

function readPreTokenizer(metadata: Metadata): PreTokenizer {
  const wrong = (key: string, found: string, known: string) =>
    new ModelFormatError(
      `${metadata.fileName}: the tokenizer is of a kind this engine does not know (${key} is "${found}", not ${known}).`,
    );
  const model = metadata.string('tokenizer.ggml.model');
  if (model !== 'gpt2') throw wrong('tokenizer.ggml.model', model, '"gpt2"');
  const name = metadata.string('tokenizer.ggml.pre');
  const known = PRE_TOKENIZER_NAMES.map((each) => `"${each}"`).join(' or ');
  const found = preTokenizer(name);
  if (!found) throw wrong('tokenizer.ggml.pre', name, known);
  return found;
}

/** A pattern that splits a text at any of the words and keeps them; a word wins over its own beginning. */
function alternatives(words: readonly string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  const escaped = [...words]
    .sort((a, b) => b.length - a.length)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`(${escaped.join('|')})`);
}

/** Bytes by the code of their character. */
const BYTE_OF_CODE: readonly (number | undefined)[] = (() => {
  const bytes: (number | undefined)[] = [];
  BYTE_CHARACTERS.forEach((character, byte) => {
    bytes[character.charCodeAt(0)] = byte;
  });
  return bytes;
})();
