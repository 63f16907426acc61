// Positions of a session: logits after a rebase are those of the same context put at the rebased positions, a
// short stream answers as with absolute ones, and a long one stays within the range.

import { afterEach, describe, expect, it } from 'vitest';
import { Context } from './context';
import type { RgbFrame, Session } from './contract';
import { InvalidInputError } from './errors';
import { openNodeGpu } from './gpu/node-gpu';
import { submit } from './gpu/program';
import { download, downloadFloats, maxDifference, randomFloats, testGpu } from './gpu/testing/harness';
import { SLOT_WORDS } from './memory/ring-shape';
import { TrackedStream } from './memory/testing/tracked-stream';
import { turnedKey } from './memory/testing/turned-key';
import { loadModel, type Model } from './model';
import { createSession } from './session';
import type { SessionOptions } from './session-options';
import { fixtureFiles } from './testing/fixtures';
import { TOLERANCE } from './testing/tolerance';

const FIXTURE = 'wllama';
const FRAME = { width: 84, height: 56 };
const TOKENS_PER_FRAME = 6;
const RANGE = 80;
const GREEDY = { temperature: 0, topK: 0, topP: 1, seed: 0, maxTokens: 0 };

function frame(seed: number): RgbFrame {
  const noise = randomFloats(FRAME.width * FRAME.height * 3, seed + 1);
  return { ...FRAME, data: Uint8Array.from(noise, (v) => (v + 1) * 127) };
}

describe('the context after a rebase', () => {
  const FIRST = 40; // frames
  const OPENING = [1, 2, 3, 4, 5, 6, 7];
  const TURN = [11, 12, 13, 14, 15];
  const QUESTION = [21, 22, 23, 24, 25, 26];

  /** Frames, a turn, frames: all but a few of the positions there are. */
  function fill(model: Model, context: Context): void {
    const see = (count: number) => {
      context.openVideo();
      for (let i = 0; i < count; i++) {
        model.frames.write(0, 0, frame(2 * i));
        model.frames.write(0, 1, frame(2 * i + 1));
        submit(model.gpu.device, 'encode', (pass) => model.encoder.record(pass, 0));
        submit(model.gpu.device, 'frame', model.decoder.prefill(context.frame(1000 * i)));
      }
    };
    context.clear();
    context.text('pinned', OPENING);
    see(FIRST);
    context.text('dialogue', TURN);
    see(RANGE - OPENING.length - FIRST - TURN.length - 2);
  }

  it('gives the logits of the same keys put at the rebased positions', async () => {
    const gpu = await testGpu();
    const model = await loadModel(gpu, {
      ...(await fixtureFiles(FIXTURE)),
      frame: FRAME,
      visualTokens: RANGE * TOKENS_PER_FRAME,
      textTokens: 64,
      trainedPositions: RANGE,
      maxRgbPixels: FRAME.width * FRAME.height,
      precision: 'f32',
    });
    try {
      model.ring.configure({ policy: 'full' });
      const logits = () => downloadFloats(gpu.device, model.ledger.get('decoder.logits'));
      const stream = new TrackedStream(RANGE, model.frameShape);
      const context = new Context(model);
      fill(model, context);
      await context.question(QUESTION, GREEDY);
      expect(context.positions.rebases).toBe(1);
      const rebased = await logits();

      // The same, but the keys are brought to their new positions on the CPU.
      const plain = new Context(model);
      plain.positions.policy = 'absolute';
      fill(model, plain);
      stream.text(OPENING.length);
      for (let i = 0; i < FIRST; i++) stream.frame();
      stream.text(TURN.length);
      while (stream.seq < model.ring.nextSeq) stream.frame();
      const before = new Map([...stream.tokens].map(([seq, { position }]) => [seq, position]));
      stream.makeRoom(QUESTION.length);
      const { layers, kvHeads, headDim, capacity } = model.ring.shape;
      const slots = await download(gpu.device, model.ledger.get('ring.slots'));
      for (let layer = 0; layer < layers; layer++) {
        const buffer = model.ledger.get(`ring.keys.${layer}`);
        const keys = await downloadFloats(gpu.device, buffer);
        for (let row = 0; row < kvHeads * capacity; row++) {
          const seq = slots[(layer * kvHeads * capacity + row) * SLOT_WORDS]!;
          if (seq >= model.ring.nextSeq) continue;
          const key = keys.subarray(row * headDim, (row + 1) * headDim);
          const by = stream.at(seq).map((position, axis) => position - before.get(seq)![axis]!);
          key.set(turnedKey(key, by as [number, number, number], model.decoder.hyper));
        }
        gpu.device.queue.writeBuffer(buffer, 0, keys as Float32Array<ArrayBuffer>);
      }
      const place = model.ring.allocate('dialogue', QUESTION.length);
      await model.decoder.submitSampled(
        'question',
        model.decoder.prefill({
          ids: QUESTION,
          positions: stream.text(QUESTION.length),
          place,
          choice: { sampling: GREEDY, draw: 0 },
        }),
      );
      const relaid = await logits();
      expect(maxDifference(rebased, relaid)).toBeLessThan(TOLERANCE.logitsF32);
    } finally {
      model.dispose();
    }
  }, 600_000);
});

describe('a session', { timeout: 600_000 }, () => {
  const sessions: Session[] = [];
  afterEach(() => {
    for (const session of sessions.splice(0)) session.dispose();
  });

  async function open(options: Partial<SessionOptions> = {}): Promise<Session> {
    const session = await createSession({
      gpu: await openNodeGpu(),
      ...(await fixtureFiles(FIXTURE)),
      frame: FRAME,
      maxRgbPixels: FRAME.width * FRAME.height,
      ...options,
      memory: { capacityTokens: 16 * TOKENS_PER_FRAME, textTokens: 512, ...options.memory },
    });
    sessions.push(session);
    return session;
  }

  async function watch(session: Session, first: number, count: number): Promise<void> {
    for (let i = 2 * first; i < 2 * (first + count); i++) await session.watch(frame(i % 64), i * 500);
  }

  async function ask(session: Session, question: string, maxTokens = 10): Promise<string> {
    let text = '';
    for await (const piece of session.ask(question, { sampling: { maxTokens } })) text += piece;
    return text;
  }

  it('that is shorter than the range answers as with absolute positions, token for token', async () => {
    const answers: string[][] = [];
    for (const positions of ['absolute', 'rebased'] as const) {
      const session = await open({ memory: { positions } });
      await watch(session, 0, 20);
      const first = await ask(session, 'What is it?');
      await watch(session, 20, 10);
      answers.push([first, await ask(session, 'And now?')]);
      expect(session.memory()).toMatchObject({ positions, rebases: 0, trainedPositions: 2048 });
      expect(session.memory().newestPosition).toBeGreaterThan(50);
    }
    expect(answers[0]).toEqual(answers[1]);
  });

  it('stays in the range over frames, turns and long answers, and lets go of the oldest turns', async () => {
    const session = await open({ trainedPositions: 160 });
    let dialogue = 0;
    for (let turn = 0; turn < 10; turn++) {
      await watch(session, turn, turn % 3 === 0 ? 16 : 1);
      // Longer than a quarter of the range: what is not reserved ahead.
      expect(await ask(session, `Question ${turn}?`, turn === 5 ? 60 : 8)).not.toBe('');
      const { newestPosition, dialogueTokens } = session.memory();
      expect(newestPosition).toBeLessThan(160);
      dialogue = Math.max(dialogue, dialogueTokens);
    }
    expect(session.memory().rebases).toBeGreaterThan(2);
    expect(dialogue).toBeGreaterThan(60);
    expect(dialogue).toBeLessThan(160);
  });

  it('takes as long a question after talk between many videos as after one video alone', async () => {
    /** Asks longer questions than fit, each a word shorter, until one is answered. @returns its words. */
    const longest = async (session: Session): Promise<number> => {
      for (let words = 80; words > 0; words--) {
        const said = await ask(session, 'word '.repeat(words)).catch((error: Error) => error);
        if (typeof said === 'string') return words;
        expect(said.message).toMatch(/fewer words/);
      }
      return 0;
    };
    const [quiet, talked] = [await open({ trainedPositions: 160 }), await open({ trainedPositions: 160 })];
    for (let turn = 0; turn < 6; turn++) {
      for (const session of [quiet, talked]) await watch(session, turn, 1);
      if (turn < 5) await ask(talked, 'Why?', 2);
    }
    expect(await longest(talked)).toBe(await longest(quiet));
    expect(talked.memory().newestPosition).toBeLessThan(160);
  });

  it('changes over at run time, and back', async () => {
    const session = await open({ trainedPositions: 80, memory: { positions: 'absolute' } });
    await watch(session, 0, 60);
    expect(session.memory()).toMatchObject({ positions: 'absolute', rebases: 0 });
    expect(session.memory().newestPosition).toBeGreaterThan(80);
    session.configure({ positions: 'rebased' });
    await watch(session, 60, 1);
    expect(session.memory()).toMatchObject({ positions: 'rebased', rebases: 1 });
    expect(session.memory().newestPosition).toBeLessThan(45);
    session.configure({ positions: 'absolute' });
    await watch(session, 61, 50);
    expect(session.memory()).toMatchObject({ rebases: 1 });
    expect(session.memory().newestPosition).toBeGreaterThan(80);
  });

  it('refuses a range in which nothing could be said', async () => {
    await expect(open({ trainedPositions: 16 })).rejects.toThrow(InvalidInputError);
  });
});
