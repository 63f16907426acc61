// The pieces of a conversation, from templates of several shapes: put together they must be what the template renders.
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { ModelFormatError } from '../errors';
import { Metadata } from '../gguf/metadata';
import { conversationPieces } from './chat-template';

/** A loop over messages in the form most templates share, with what differs between them. */
function template(parts: {
  system?: string;
  user?: string;
  video?: string;
  after?: string;
  generation?: string;
}) {
  const video = parts.video ?? '<|vision_start|><|video_pad|><|vision_end|>';
  return `{% for message in messages %}${parts.system ?? ''}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == 'video' %}${video}{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
${parts.after ?? ''}{% endfor %}{% if add_generation_prompt %}${parts.generation ?? '<|im_start|>assistant\n'}{% endif %}`;
}

function readReference<T>(path: string): T {
  const text = readFileSync(new URL(`../../../reference/${path}`, import.meta.url), 'utf8');
  return (path.endsWith('.json') ? JSON.parse(text) : text) as T;
}

const withSystem = template({
  system: `{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}`,
});
const plain = template({});
const piecesOf = (source: string) =>
  conversationPieces(new Metadata('model.gguf', [['tokenizer.chat_template', source]]));

const user = (text: string, video: boolean) => ({
  role: 'user',
  content: [...(video ? [{ type: 'video' }] : []), { type: 'text', text }],
});
const assistant = (text: string) => ({ role: 'assistant', content: text });

describe('a template of the known form', () => {
  it('with a system prompt', () => {
    expect(piecesOf(withSystem)).toEqual({
      opening:
        '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>',
      afterFrames: '<|vision_end|>',
      leadAfterFrames: '',
      afterQuestion: '<|im_end|>\n<|im_start|>assistant\n',
      afterAnswer: '<|im_end|>\n<|im_start|>user\n',
      leadAfterAnswer: '',
      beforeFrames: '<|vision_start|>',
    });
  });

  it('without one', () => {
    expect(piecesOf(plain).opening).toBe('<|im_start|>user\n<|vision_start|>');
  });

  it("gives the reference's rendering of a question about a video", () => {
    const { template: source, cases } = readReference<{
      template: string;
      cases: { name: string; addGenerationPrompt: boolean; text: string }[];
    }>('fixtures/chat-template.json');
    const p = piecesOf(source);
    expect(`${p.opening}<|video_pad|>${p.afterFrames}What moved first?${p.afterQuestion}`).toBe(
      cases.find((each) => each.name === 'video' && each.addGenerationPrompt)?.text,
    );
  });

  it.each([withSystem, plain])('gives a whole conversation as the template renders it', (source) => {
    const p = piecesOf(source);
    const pad = '<|video_pad|>';
    const rendered = new Template(source).render({
      messages: [
        user('What is it?', true),
        assistant('A ball.'),
        user('And now?', true),
        assistant('A box.'),
        user('Sure?', false),
      ],
      add_generation_prompt: true,
    });
    expect(
      `${p.opening}${pad}${p.afterFrames}What is it?${p.afterQuestion}A ball.` +
        `${p.afterAnswer}${p.beforeFrames}${pad}${p.afterFrames}And now?${p.afterQuestion}A box.` +
        `${p.afterAnswer}Sure?${p.afterQuestion}`,
    ).toBe(rendered);
  });
});

it('tells the template the names of the first and last token', () => {
  const source = `{{ bos_token }}${plain.replaceAll('<|im_end|>', '{{ eos_token }}')}`;
  const metadata = new Metadata('model.gguf', [
    ['tokenizer.chat_template', source],
    ['tokenizer.ggml.tokens', ['a', '<s>', '</s>']],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
  ]);
  expect(conversationPieces(metadata)).toMatchObject({
    opening: '<s><|im_start|>user\n<|vision_start|>',
    afterQuestion: '</s>\n<|im_start|>assistant\n',
  });
});

describe('templates of published models', () => {
  const { conversations, cases, bosToken, eosToken } = readReference<{
    conversations: Record<string, Record<string, unknown>[]>;
    cases: { template: string; conversation: string; addGenerationPrompt: boolean; text: string }[];
    bosToken: string;
    eosToken: string;
  }>('fixtures/templates.json');
  const names = [...new Set(cases.map((each) => each.template))];
  const sourceOf = (name: string) => readReference<string>(`templates/${name}.jinja`);

  it.each(names)('%s is rendered as by transformers', (name) => {
    const template = new Template(sourceOf(name));
    for (const { conversation, addGenerationPrompt, text } of cases.filter(
      (each) => each.template === name,
    )) {
      const rendered = template.render({
        messages: conversations[conversation],
        add_generation_prompt: addGenerationPrompt,
        enable_thinking: false,
        bos_token: bosToken,
        eos_token: eosToken,
      });
      expect(rendered, conversation).toBe(text);
    }
  });

  // Where `given` is said, the template writes it before an answer that was given, and something else to ask for one;
  // a session keeps what asked.
  it.each<{ name: string; medium: 'video' | 'image'; pad: string; given?: string }>([
    { name: 'qwen2-vl', medium: 'video', pad: '<|video_pad|>' },
    { name: 'qwen3-vl', medium: 'video', pad: '<|video_pad|>' },
    {
      name: 'qwen3.5',
      medium: 'video',
      pad: '<|video_pad|>',
      given: '<|im_end|>\n<|im_start|>assistant\n',
    },
    {
      name: 'llava-onevision',
      medium: 'video',
      pad: '<video>',
      given: '<|im_end|><|im_start|>assistant \n',
    },
    { name: 'internvl3', medium: 'video', pad: '<video>' },
    { name: 'smolvlm2-video', medium: 'video', pad: '<video>', given: '<end_of_utterance>\nAssistant: ' },
    { name: 'smolvlm2', medium: 'image', pad: '<image>', given: '<end_of_utterance>\nAssistant: ' },
  ])('$name gives a whole conversation, piece by piece', ({ name, medium, pad, given }) => {
    const p = piecesOf(sourceOf(name));
    const golden = cases.find(
      (each) => each.template === name && each.conversation === `${medium} turns` && each.addGenerationPrompt,
    )!;
    const see = `${pad}${p.afterFrames}${p.leadAfterFrames}`;
    const toAnswer = given ?? p.afterQuestion;
    const whole =
      `${p.opening}${see}Where is the ball?${toAnswer}On the left.` +
      `${p.afterAnswer}${p.beforeFrames}${see}And\nnow?${toAnswer}It stopped.` +
      `${p.afterAnswer}${p.leadAfterAnswer}Is <|im_end|> special  here?${p.afterQuestion}`;
    expect(whole).toBe(golden.text);
  });
});

describe('a template that is not', () => {
  it.each([
    ['is broken', '{% for %}', /cannot be parsed/],
    ['refuses to render', "{{ raise_exception('images only') }}", /cannot be rendered \(.*images only/],
    ['knows no video', template({ video: '' }), /has no place for a video/],
    [
      'has other vision tokens',
      template({ video: '<image><|video_pad|></image>' }),
      /does not put a video between/,
    ],
    [
      'drops answers',
      "{% for m in messages %}{% if m.role == 'user' %}<|vision_start|><|video_pad|><|vision_end|>{{ m.content[-1].text }}{% endif %}{% endfor %}",
      /leaves out part of a message/,
    ],
    [
      'begins questions otherwise later',
      template({ after: `{% if loop.first %}{{ 'Listen: ' }}{% endif %}` }),
      /a later turn changes/,
    ],
    [
      'introduces questions without a video',
      template({ video: '', after: '' }).replace(
        '{% if message',
        `{% if message['content'][0]['type'] == 'video' %}<video>{% elif message['role'] == 'user' %}Listen: {% endif %}{% if message`,
      ),
      /a question without a video is introduced by words/,
    ],
    ['thinks aloud', template({ generation: '<|im_start|>assistant\n<think>\n' }), /think aloud/],
    [
      'numbers its videos',
      template({ video: '{{ loop.index }}{{ messages|length }}<|vision_start|><|video_pad|><|vision_end|>' }),
      /a later turn changes/,
    ],
  ])('%s', (_, source, message) => {
    expect(() => piecesOf(source)).toThrow(message);
    expect(() => piecesOf(source)).toThrow(/^model\.gguf: its chat template is not one/);
    expect(() => piecesOf(source)).toThrow(ModelFormatError);
  });

  it('is missing', () => {
    expect(() => conversationPieces(new Metadata('model.gguf', []))).toThrow(
      'model.gguf has no chat template',
    );
  });
});
