// The fixed pieces of a conversation about video, taken from the model's own chat template. Frames stream into
// an open conversation, so the template is rendered once, at load, with markers where content will flow, and
// cut at them; nothing is rendered afterwards.
import { Template } from '@huggingface/jinja';
import { ModelFormatError } from '../errors';
import type { Metadata } from '../gguf/metadata';

export const VISION_START = '<|vision_start|>';
export const VISION_END = '<|vision_end|>';
/** What a template writes between the two; frames take its place. */
const VISION_PAD = /<\|(?:video|image)_pad\|>/g;

/**
 * The text around what flows. A conversation is
 * `opening` frames `afterFrames` question `afterQuestion` answer
 * (`afterAnswer` [`beforeFrames` frames `afterFrames`] question `afterQuestion` answer)*.
 * All pieces are to be encoded with special tokens recognised.
 */
export interface ConversationPieces {
  /** Up to the first frame: system prompt if the template has one, the user's turn, the vision start token. */
  readonly opening: string;
  /** Between frames and what the user says: the vision end token. */
  readonly afterFrames: string;
  /** From the end of a question to where the answer begins. */
  readonly afterQuestion: string;
  /** From the end of an answer to where the user's next turn begins. */
  readonly afterAnswer: string;
  /** Before frames within a later turn: the vision start token. */
  readonly beforeFrames: string;
}

/** Stand for content in the probes: letters only, so that no template trims or escapes them. */
const FRAMES = 'FramesMarker';
const QUESTION = 'QuestionMarker';
const ANSWER = 'AnswerMarker';
const NEXT_QUESTION = 'FollowUpMarker';

/**
 * The pieces of `tokenizer.chat_template`.
 * @throws ModelFormatError when the file has no template, or one that is not of the form above.
 */
export function conversationPieces(metadata: Metadata): ConversationPieces {
  const file = metadata.fileName;
  if (!metadata.has('tokenizer.chat_template')) {
    throw new ModelFormatError(
      `${file} has no chat template; it is a base model. Download the instruct version of the model.`,
    );
  }
  const render = renderer(file, metadata.string('tokenizer.chat_template'));
  const firstTurn = [userTurn(QUESTION, true)];
  const secondTurn = [...firstTurn, { role: 'assistant', content: ANSWER }];
  const oneTurn = render(firstTurn);
  const withoutFrames = render([...secondTurn, userTurn(NEXT_QUESTION, false)]);
  const withFrames = render([...secondTurn, userTurn(NEXT_QUESTION, true)]);

  const [opening, afterFrames, afterQuestion] = cut(file, oneTurn, [FRAMES, QUESTION]);
  const [, , , afterAnswer] = cut(file, withoutFrames, [FRAMES, QUESTION, ANSWER, NEXT_QUESTION]);
  const [, , , beforeSecondFrames] = cut(file, withFrames, [FRAMES, QUESTION, ANSWER, FRAMES, NEXT_QUESTION]);
  const beforeFrames = beforeSecondFrames.slice(afterAnswer.length);
  if (
    !opening.endsWith(VISION_START) ||
    !beforeFrames.endsWith(VISION_START) ||
    !afterFrames.startsWith(VISION_END)
  ) {
    throw unfit(file, `it does not put a video between ${VISION_START} and ${VISION_END}`);
  }
  // Put together again, the pieces must give what the template gave.
  const soFar = opening + FRAMES + afterFrames + QUESTION + afterQuestion;
  const nextQuestion = NEXT_QUESTION + afterQuestion;
  if (
    oneTurn !== soFar ||
    withoutFrames !== soFar + ANSWER + afterAnswer + nextQuestion ||
    withFrames !== soFar + ANSWER + afterAnswer + beforeFrames + FRAMES + afterFrames + nextQuestion
  ) {
    throw unfit(
      file,
      'a later turn changes what was written before it, or is written otherwise than the first',
    );
  }
  return { opening, afterFrames, afterQuestion, afterAnswer, beforeFrames };
}

interface Message {
  readonly role: string;
  readonly content: string | readonly Readonly<Record<string, string>>[];
}

function userTurn(question: string, video: boolean): Message {
  const text = { type: 'text', text: question };
  return { role: 'user', content: video ? [{ type: 'video', video: 'video' }, text] : [text] };
}

/** Renders messages up to where the next answer begins, with FRAMES where the template puts a vision pad. */
function renderer(file: string, source: string): (messages: readonly Message[]) => string {
  try {
    const template = new Template(source);
    return (messages) => {
      try {
        return template.render({ messages, add_generation_prompt: true }).replace(VISION_PAD, FRAMES);
      } catch (cause) {
        throw unfit(file, `it cannot be rendered (${messageOf(cause)})`, cause);
      }
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

function unfit(file: string, why: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError(
    `${file}: its chat template is not one for conversations about video that this engine knows: ${why}.`,
    { cause },
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
