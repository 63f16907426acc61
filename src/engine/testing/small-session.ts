// A session on a small random checkpoint, fed with noise: for tests of what the session does, not of what it says.

import { afterEach } from 'vitest';
import type { MemoryReport, RgbFrame, Session } from '../contract';
import { openNodeGpu } from '../gpu/node-gpu';
import { randomFloats } from '../gpu/testing/harness';
import { createSession } from '../session';
import type { SessionOptions } from '../session-options';
import { fixtureFiles } from './fixtures';

/** This one can only say printable ASCII: every token of its answers is a piece of text. */
export const FIXTURE = 'wllama';
export const FRAME = { width: 84, height: 56 };
export const TOKENS_PER_FRAME = 6;
/** Tokens of an answer. */
export const ANSWER = 10;

const sessions: Session[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.dispose();
});

/** A new session; closed after the test. */
export async function openSmall(
  memory: SessionOptions['memory'] = {},
  options: Partial<SessionOptions> = {},
  fixture = FIXTURE,
): Promise<Session> {
  const session = await createSession({
    gpu: await openNodeGpu(),
    ...(await fixtureFiles(fixture)),
    frame: FRAME,
    maxRgbPixels: FRAME.width * FRAME.height,
    memory: { capacityTokens: 64 * TOKENS_PER_FRAME, textTokens: 512, ...memory },
    ...options,
  });
  sessions.push(session);
  return session;
}

export function noiseFrame(seed: number): RgbFrame {
  const noise = randomFloats(FRAME.width * FRAME.height * 3, seed + 1);
  return { ...FRAME, data: Uint8Array.from(noise, (v) => (v + 1) * 127) };
}

/** Watches temporal patches `first` … `first + count - 1` of an endless stream of noise, a second each. */
export async function watch(
  session: Session,
  first: number,
  count: number,
  framesPerPatch = 2,
): Promise<void> {
  for (let i = framesPerPatch * first; i < framesPerPatch * (first + count); i++) {
    await session.watch(noiseFrame(i % 64), (i * 1000) / framesPerPatch);
  }
}

/** Asks for an answer of so many tokens and stops it after so many pieces. */
export async function ask(
  session: Session,
  question: string,
  stopAfter = Number.POSITIVE_INFINITY,
  remember = true,
  maxTokens = ANSWER,
): Promise<string> {
  const stop = new AbortController();
  let text = '';
  let pieces = 0;
  const options = { signal: stop.signal, remember, sampling: { maxTokens } };
  for await (const piece of session.ask(question, options)) {
    text += piece;
    if (++pieces >= stopAfter) stop.abort();
  }
  return text;
}

/** Everything the report says of memory itself. */
export function held({ stageMs, gpuBytes, gpuBytesByPurpose, framesDropped, queued, ...rest }: MemoryReport) {
  return rest;
}

/** Counts buffers created and mappings asked for, on any device, until restored. */
export function countCalls() {
  const createBuffer = GPUDevice.prototype.createBuffer;
  const mapAsync = GPUBuffer.prototype.mapAsync;
  const calls = { createBuffer: 0, mapAsync: 0 };
  GPUDevice.prototype.createBuffer = function (descriptor) {
    calls.createBuffer++;
    return createBuffer.call(this, descriptor);
  };
  GPUBuffer.prototype.mapAsync = function (...parameters) {
    calls.mapAsync++;
    return mapAsync.apply(this, parameters);
  };
  const restore = () => {
    GPUDevice.prototype.createBuffer = createBuffer;
    GPUBuffer.prototype.mapAsync = mapAsync;
  };
  return Object.defineProperty(calls, 'restore', { value: restore, enumerable: false }) as typeof calls & {
    restore: () => void;
  };
}
