// A made-up vocabulary of the size of Qwen's: the 256 bytes, merged words, the special tokens at the ids they have
// there, and unused rows up to the end. It weighs what a real one does and encodes any text.

import type { FixtureValue } from '../../src/engine/gguf/testing/gguf-fixture';
import { BYTE_CHARACTERS } from '../../src/engine/text/byte-pairs';

/** Bytes and words, of Qwen2 and all that followed. */
const WORDS = 151_643;

/** From id 151,643 on. Whether a later model has a few more makes no difference to size or prompts. */
const SPECIAL = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|object_ref_start|>',
  '<|object_ref_end|>',
  '<|box_start|>',
  '<|box_end|>',
  '<|quad_start|>',
  '<|quad_end|>',
  '<|vision_start|>',
  '<|vision_end|>',
  '<|vision_pad|>',
  '<|image_pad|>',
  '<|video_pad|>',
];

const TOKEN_TYPE = { normal: 1, control: 3, unused: 5 };

/** With these, words of up to eight letters are as many as are wanted: as long as the words of a real vocabulary. */
const LETTERS = 'etaoi';

const CHAT_TEMPLATE = `{% for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

/** The metadata of a tokenizer with `size` ids. */
export function vocabulary(size: number): Record<string, FixtureValue> {
  const tokens = [...BYTE_CHARACTERS];
  const merges: string[] = [];
  // Each word is one that stands before it and a letter.
  let words: string[] = [...LETTERS];
  while (tokens.length < WORDS) {
    const longer: string[] = [];
    for (const word of words) {
      for (const letter of LETTERS) {
        if (tokens.length === WORDS) break;
        merges.push(`${word} ${letter}`);
        tokens.push(word + letter);
        longer.push(word + letter);
      }
    }
    words = longer;
  }
  tokens.push(...SPECIAL);
  const used = tokens.length;
  for (let id = used; id < size; id++) tokens.push(`[PAD${id}]`);
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'qwen2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((_, id) =>
      id < WORDS ? TOKEN_TYPE.normal : id < used ? TOKEN_TYPE.control : TOKEN_TYPE.unused,
    ),
    'tokenizer.ggml.merges': merges,
    'tokenizer.ggml.eos_token_id': tokens.indexOf('<|im_end|>'),
    'tokenizer.ggml.padding_token_id': tokens.indexOf('<|endoftext|>'),
    'tokenizer.ggml.bos_token_id': tokens.indexOf('<|endoftext|>'),
    'tokenizer.ggml.add_bos_token': false,
    'tokenizer.chat_template': CHAT_TEMPLATE,
  };
}
