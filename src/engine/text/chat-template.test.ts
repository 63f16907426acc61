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
      afterQuestion: '<|im_end|>\n<|im_start|>assistant\n',
      afterAnswer: '<|im_end|>\n<|im_start|>user\n',
      beforeFrames: '<|vision_start|>',
    });
  });

  it('without one', () => {
    expect(piecesOf(plain).opening).toBe('<|im_start|>user\n<|vision_start|>');
  });

  it("gives the reference's rendering of a question about a video", () => {
    const { template: source, cases } = JSON.parse(
      readFileSync(new URL('../../../reference/fixtures/chat-template.json', import.meta.url), 'utf8'),
    ) as { template: string; cases: { name: string; addGenerationPrompt: boolean; text: string }[] };
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
      'begins answers otherwise later',
      template({ generation: '<|im_start|>assistant\n<think>\n' }),
      /a later turn changes/,
    ],
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
