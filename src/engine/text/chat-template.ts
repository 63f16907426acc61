// The fixed pieces of a conversation about video, taken from the model's own chat template. Frames stream into
// an open conversation, so the template is rendered once, at load, with markers where content will flow, and
// cut at them; nothing is rendered afterwards.
import { Template } from '@huggingface/jinja';
import { ModelFormatError, messageOf } from '../errors';
import type { Metadata } from '../gguf/metadata';

export const VISION_START = '<|vision_start|>';
export const VISION_END = '<|vision_end|>';
/** What templates write for a video or an image; frames take its place. The first kind stands between the two above. */
const VISION_PAD = /<\|(?:video|image)_pad\|>|<(?:video|image)>/g;

/**
 * The text around what flows. A conversation is
 * `opening` frames `afterFrames` `leadAfterFrames` question `afterQuestion` answer
 * (`afterAnswer` [`beforeFrames` frames `afterFrames` `leadAfterFrames` | `leadAfterAnswer`] question
 * `afterQuestion` answer)*.
 * All pieces are to be encoded with special tokens recognised; but a lead is white space, to be encoded with the
 * question behind it, for tokenizers join a space with a word.
 */
export interface ConversationPieces {
  /** Up to the first frame: system prompt if the template has one, the user's turn, the vision start token. */
  readonly opening: string;
  /** What ends frames: the vision end token if there is one. */
  readonly afterFrames: string;
  readonly leadAfterFrames: string;
  /** From the end of a question to where the answer begins. */
  readonly afterQuestion: string;
  /** From the end of an answer to where the user's next turn begins, with or without frames. */
  readonly afterAnswer: string;
  readonly leadAfterAnswer: string;
  /** Before frames within a later turn: the vision start token if there is one. */
  readonly beforeFrames: string;
}

/** Stand for content in the probes: letters only, so that no template trims or escapes them. */
const FRAMES = 'FramesMarker';
const QUESTION = 'QuestionMarker';
const ANSWER = 'AnswerMarker';
const NEXT_QUESTION = 'FollowUpMarker';

/**
 * The pieces of `tokenizer.chat_template`. A template that knows no video is asked with an image.
 * @throws ModelFormatError when the file has no template, or one that is not of the form above.
 */
export function conversationPieces(metadata: Metadata): ConversationPieces {
  const file = metadata.fileName;
  const render = renderer(metadata);
  const medium = render([userTurn(QUESTION, 'video')]).includes(FRAMES) ? 'video' : 'image';
  const firstTurn = [userTurn(QUESTION, medium)];
  const secondTurn = [...firstTurn, { role: 'assistant', content: [{ type: 'text', text: ANSWER }] }];
  const oneTurn = render(firstTurn);
  const withoutFrames = render([...secondTurn, userTurn(NEXT_QUESTION)]);
  const withFrames = render([...secondTurn, userTurn(NEXT_QUESTION, medium)]);

  const [opening, beforeQuestion, afterQuestion] = cut(file, oneTurn, [FRAMES, QUESTION]);
  // What stands before an answer that was given may differ from what asks for one: a space, or a thought left out.
  const [, , beforeAnswer, toQuestion] = cut(file, withoutFrames, [FRAMES, QUESTION, ANSWER, NEXT_QUESTION]);
  const [, , , toFrames] = cut(file, withFrames, [FRAMES, QUESTION, ANSWER, FRAMES, NEXT_QUESTION]);
  const [afterFrames, leadAfterFrames] = splitLead(beforeQuestion);
  const [afterAnswer] = splitLead(commonStart(toQuestion, toFrames));
  const [leadAfterAnswer, beforeFrames] = [toQuestion, toFrames].map((text) =>
    text.slice(afterAnswer.length),
  );

  // Put together again, the pieces must give what the template gave.
  const answered = opening + FRAMES + beforeQuestion + QUESTION + beforeAnswer + ANSWER + afterAnswer;
  if (
    withoutFrames !== answered + leadAfterAnswer + NEXT_QUESTION + afterQuestion ||
    withFrames !== answered + beforeFrames + FRAMES + beforeQuestion + NEXT_QUESTION + afterQuestion
  ) {
    throw unfit(
      file,
      'a later turn changes what was written before it, or is written otherwise than the first',
    );
  }
  if (/\S/.test(leadAfterAnswer!)) throw unfit(file, 'a question without a video is introduced by words');
  if (afterQuestion.lastIndexOf('<think>') > afterQuestion.lastIndexOf('</think>')) {
    throw unfit(file, 'it has the model think aloud before every answer');
  }
  return {
    opening,
    afterFrames,
    leadAfterFrames,
    afterQuestion,
    afterAnswer,
    leadAfterAnswer: leadAfterAnswer!,
    beforeFrames: beforeFrames!,
  };
}

interface Message {
  readonly role: string;
  readonly content: readonly Readonly<Record<string, string>>[];
}

function userTurn(question: string, medium?: 'video' | 'image'): Message {
  const text = { type: 'text', text: question };
  return { role: 'user', content: medium ? [{ type: medium, [medium]: medium }, text] : [text] };
}

/**
 * Renders messages up to where the next answer begins, with FRAMES where the template puts a vision pad. The
 * template is given what transformers gives it: the names of the first and last token.
 */
function renderer(metadata: Metadata): (messages: readonly Message[]) => string {
  const file = metadata.fileName;
  if (!metadata.has('tokenizer.chat_template')) {
    throw new ModelFormatError(
      `${file} has no chat template; it is a base model. Download the instruct version of the model.`,
    );
  }
  const token = (name: string) => {
    const key = `tokenizer.ggml.${name}_token_id`;
    return metadata.has(key) ? metadata.strings('tokenizer.ggml.tokens')[metadata.number(key)] : undefined;
  };
  const given = {
    add_generation_prompt: true,
    enable_thinking: false,
    bos_token: token('bos'),
    eos_token: token('eos'),
  };
  try {
    const template = new Template(metadata.string('tokenizer.chat_template'));
    return (messages) => {
      let text: string;
      try {
        text = template.render({ ...given, messages });
      } catch (cause) {
        throw unfit(file, `it cannot be rendered (${messageOf(cause)})`, cause);
      }
      return text.replace(VISION_PAD, (pad, at: number) => {
        const marked = text.endsWith(VISION_START, at) && text.startsWith(VISION_END, at + pad.length);
        if (marked || !pad.startsWith('<|')) return FRAMES;
        throw unfit(file, `it does not put a video between ${VISION_START} and ${VISION_END}`);
      });
    };
  } catch (cause) {
    throw unfit(file, `it cannot be parsed (${messageOf(cause)})`, cause);
  }
}

/** The text before each marker, in the order given, and last the text after them all. */
function cut<const Markers extends readonly string[]>(
  file: string,
  text: string,
  markers: Markers,
): [...{ -readonly [index in keyof Markers]: string }, string] {
  const pieces: string[] = [];
  let rest = text;
  for (const marker of markers) {
    const at = rest.indexOf(marker);
    if (at < 0) {
      throw unfit(
        file,
        marker === FRAMES ? 'it has no place for a video' : 'it leaves out part of a message',
      );
    }
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at + marker.length);
  }
  return [...pieces, rest] as [...{ -readonly [index in keyof Markers]: string }, string];
}

/** A text without the white space at its end that a tokenizer could join with what follows, and that white space. */
function splitLead(text: string): [stem: string, lead: string] {
  const lead = text.match(/(?:\s{2,}| )$/)?.[0] ?? '';
  return [text.slice(0, text.length - lead.length), lead];
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

function unfit(file: string, why: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError(
    `${file}: its chat template is not one for conversations about video that this engine knows: ${why}.`,
    { cause },
  );
}
