// Which model the page runs: the bundled one, or another folder of the same site named by `?model=`.
import { keptFile } from '../../../workers/kept-files';

const BUNDLED_FOLDER = 'models/toybox/';

/** What a model's folder says about it (`card.json`). */
export interface ModelCard {
  readonly name: string;
  /** Size to which frames are brought for the model. */
  readonly frameWidth: number;
  readonly frameHeight: number;
  /** Rate at which the model was made to watch. */
  readonly framesPerSecond: number;
  /** Rotary positions it was trained on, if that is less than its file states. */
  readonly trainedPositions?: number;
  readonly suggestedQuestions: readonly string[];
  /** The demo clip's address, relative to the page. */
  readonly demoClip: string | null;
}

/** A model's folder, as an absolute address ending in a slash. */
export interface ModelFolder {
  readonly url: string;
  readonly bundled: boolean;
}

/**
 * The folder that the page's address asks for.
 * @throws Error when it lies on another site: the page talks to its own server only.
 */
export function modelFolder(pageUrl: string, baseUrl: string): ModelFolder {
  const asked = new URL(pageUrl).searchParams.get('model');
  if (!asked) return { url: new URL(BUNDLED_FOLDER, baseUrl).href, bundled: true };
  const url = new URL(asked.endsWith('/') ? asked : `${asked}/`, baseUrl);
  if (url.origin !== new URL(pageUrl).origin) {
    throw new Error(`Ringside loads models from its own site only, not from ${url.host}.`);
  }
  return { url: url.href, bundled: false };
}

/** Reads the card of a model's folder. @throws Error when there is none, or it is not a card. */
export async function readModelCard(folder: ModelFolder): Promise<ModelCard> {
  const url = new URL('card.json', folder.url).href;
  const text = await (await keptFile(url)).text();
  try {
    return parseModelCard(JSON.parse(text));
  } catch (cause) {
    throw new Error(`The model card ${url} is not readable${reason(cause)}.`, { cause });
  }
}

/** Checks and completes a card's JSON. @throws Error naming the field that is wrong. */
export function parseModelCard(json: unknown): ModelCard {
  if (typeof json !== 'object' || json === null) throw new Error('it is not an object');
  const card = json as Record<string, unknown>;
  const positive = (field: string): number => {
    const value = card[field];
    if (typeof value === 'number' && value > 0) return value;
    throw new Error(`“${field}” is not a positive number`);
  };
  const questions = Array.isArray(card.suggestedQuestions) ? card.suggestedQuestions : [];
  return {
    name: typeof card.name === 'string' ? card.name : 'Model',
    frameWidth: positive('frameWidth'),
    frameHeight: positive('frameHeight'),
    framesPerSecond: positive('framesPerSecond'),
    trainedPositions: 'trainedPositions' in card ? positive('trainedPositions') : undefined,
    suggestedQuestions: questions.filter((question) => typeof question === 'string'),
    demoClip: typeof card.demoClip === 'string' ? card.demoClip : null,
  };
}

function reason(cause: unknown): string {
  return cause instanceof Error ? ` (${cause.message})` : '';
}
