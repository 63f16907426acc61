// The session: watch and ask over one stream and its conversation. It keeps one timeline — ingesting a frame,
// answering, forgetting happen one after the other, in the order they came — and decides what stands where:
//
//   opening · frames · [vision end · question · answer · … · vision start · frames]*
//
// The opening is pinned, frames are the ring's visual tokens, the rest is dialogue.

import { Context, type ContextState } from './context';
import type { AskOptions, Frame, MemoryLens, MemoryReport, Session, WatchResult } from './contract';
import { generate } from './decoder/generate';
import { samplingOf } from './decoder/sampling';
import { DeviceLostError, type EngineError, InvalidInputError } from './errors';
import { type FrameCounts, FrameQueue, type TemporalPatch } from './frame-queue';
import { checkVideoFrames, openDevice } from './gpu/device';
import { submit } from './gpu/program';
import { bytesPerToken } from './memory/ring-shape';
import { loadModel, type Model, planModel } from './model';
import { modelOptions, type SessionOptions } from './session-options';
import { fittingSnapshot, putBack, takeSnapshot } from './session-snapshot';
import { StageClock } from './stage-clock';
import type { ConversationPieces } from './text/chat-template';
import { type FramePlace, type FrameText, MANY_SECONDS } from './text/frame-text';
import { TextStream } from './text/tokenizer';
import { Timeline } from './timeline';

/**
 * Opens the GPU, loads the model and starts an empty session.
 * @throws UnsupportedDeviceError, ModelFormatError, OutOfMemoryError, InvalidInputError; nothing stays behind.
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  const gpu = await openDevice(options.gpu ?? globalThis.navigator?.gpu);
  try {
    if (!options.maxRgbPixels) checkVideoFrames(gpu);
    return new StreamSession(await loadModel(gpu, modelOptions(options)), options);
  } catch (error) {
    gpu.device.destroy();
    throw error;
  }
}

/**
 * GPU bytes by purpose that such a session would take, from the headers of its files alone.
 * @throws as `createSession`, but for what shows only while the model is loaded.
 */
export async function planSession(options: SessionOptions): Promise<Readonly<Record<string, number>>> {
  const gpu = await openDevice(options.gpu ?? globalThis.navigator?.gpu);
  try {
    return await planModel(gpu, modelOptions(options));
  } finally {
    gpu.device.destroy();
  }
}

/** What a snapshot holds of the session besides the ring. */
interface SavedState {
  readonly newestTimestampMs: number;
  readonly frames: FrameCounts;
  readonly context: ContextState;
}

class StreamSession implements Session {
  readonly #model: Model;
  readonly #pieces: ConversationPieces;
  readonly #frameText: FrameText;
  readonly #context: Context;
  readonly #queue: FrameQueue;
  readonly #timeline = new Timeline();
  readonly #clock: StageClock;
  /** The queue's counts of the frames that are, or waited to be, in the memory there is. */
  #frames: FrameCounts;
  /** Memories so far, the one to come included: turns taken for one of them must not be used up in the next. */
  #memories = 1;
  /** The answer whose turn it is. */
  #answering: AsyncGenerator<string, void> | undefined;
  #newestTimestampMs = -1;
  /** The newest look through the lens, read back or not; the next one waits for that. */
  #looked: Promise<unknown> = Promise.resolve();

  constructor(model: Model, { memory, onFailed }: SessionOptions) {
    this.#model = model;
    this.#pieces = model.conversation;
    this.#frameText = model.frameText;
    this.#queue = new FrameQueue(model.frames);
    this.#frames = this.#queue.counts;
    this.#clock = new StageClock(model.gpu.device.queue);
    this.#context = new Context(model);
    this.configure(memory ?? {});
    this.#open();
    void model.gpu.failure.then((error) => {
      this.#fail(error);
      onFailed?.(error);
    });
  }

  async watch(frame: Frame, timestampMs: number): Promise<WatchResult> {
    try {
      this.#timeline.check();
    } catch (error) {
      if (!('data' in frame)) frame.close();
      throw error;
    }
    const preprocessed = this.#clock.start('preprocess');
    const waiting = this.#queue.length;
    const result = this.#queue.push(frame, timestampMs);
    void preprocessed();
    if (this.#queue.length > waiting) {
      // Whoever watches is told: when the frames are in memory, or by the failed timeline.
      this.#ingestInTurn().catch(() => {});
    }
    return result;
  }

  ask(question: string, options: AskOptions = {}): AsyncGenerator<string, void> {
    const answer = this.#ask(question.trim(), options, () => {
      this.#answering = answer;
    });
    return answer;
  }

  memory(): MemoryReport {
    const { ring, ledger } = this.#model;
    const { pinned, visual, dialogue } = ring.counts;
    const { positions } = this.#context;
    return {
      policy: ring.policy,
      budgetTokens: ring.budget,
      capacityTokens: ring.visualCapacity,
      visualTokens: visual,
      dialogueTokens: dialogue,
      pinnedTokens: pinned,
      tokensPerFrame: ring.shape.tokensPerFrame,
      bytesPerToken: bytesPerToken(ring.shape),
      gpuBytes: ledger.bytes,
      gpuBytesByPurpose: ledger.bytesByPurpose,
      prunes: ring.prunes,
      positions: positions.policy,
      newestPosition: positions.next - 1,
      trainedPositions: positions.range,
      rebases: positions.rebases,
      framesSeen: this.#frames.seen,
      framesDropped: this.#frames.dropped,
      queued: this.#queue.length,
      stageMs: this.#clock.newest,
      newestTimestampMs: this.#newestTimestampMs,
    };
  }

  async lens(): Promise<MemoryLens> {
    const release = await this.#timeline.enter();
    await this.#looked;
    const looking = this.#model.lens.look(this.#context.moments.seen);
    this.#looked = looking.catch(() => {});
    // What comes next need not wait for the numbers to be read.
    release();
    return this.#timeline.unlessFailed(looking).catch((error) => this.#timeline.rethrow(error));
  }

  configure({ positions, ...change }: Parameters<Session['configure']>[0]): void {
    this.#model.ring.configure(change);
    if (positions) this.#context.positions.policy = positions;
  }

  async flush(): Promise<void> {
    this.#queue.completeHalf();
    await this.#ingestInTurn();
  }

  async forget(): Promise<void> {
    const frames = this.#leaveMemory();
    await this.#timeline.run(async () => {
      this.#frames = frames;
      this.#context.clear();
      this.#newestTimestampMs = -1;
      this.#open();
    });
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const release = await this.#timeline.enter();
    try {
      const state: SavedState = {
        newestTimestampMs: this.#newestTimestampMs,
        frames: this.#frames,
        context: this.#context.state,
      };
      return await this.#timeline.unlessFailed(takeSnapshot(this.#model, state));
    } catch (error) {
      return await this.#timeline.rethrow(error);
    } finally {
      release();
    }
  }

  async restore(snapshot: Uint8Array<ArrayBuffer>): Promise<void> {
    const fitting = await fittingSnapshot<SavedState>(this.#model, snapshot);
    const { newestTimestampMs, context, ...saved } = fitting.session;
    const frames = this.#leaveMemory(saved.frames);
    await this.#timeline.run(async () => {
      this.#frames = frames;
      this.#newestTimestampMs = newestTimestampMs;
      this.#context.restore(context);
      await this.#timeline.unlessFailed(putBack(this.#model, fitting));
    });
  }

  dispose(): void {
    this.#fail(new DeviceLostError('The session was closed. Load the model again.'));
    this.#model.dispose();
    this.#model.gpu.device.destroy();
  }

  #fail(error: EngineError): void {
    this.#timeline.fail(error);
    this.#queue.fail(error);
  }

  /**
   * Ends what is under way for the memory there is, so that the next one's turn comes at once: what waits is
   * dropped, an answer ends where it stands, even one that nobody reads on.
   * @param counts of the next memory, to which frames belong from now on.
   * @returns the same, as they are kept up to date.
   */
  #leaveMemory(counts?: FrameCounts): FrameCounts {
    this.#queue.clear(counts);
    this.#memories++;
    // What goes wrong at its end goes with the memory.
    this.#answering?.return().catch(() => {});
    return this.#queue.counts;
  }

  /** Pins what stands before the first frame. */
  #open(): void {
    this.#context.text('pinned', this.#special(this.#frameText.opening));
    if (!this.#frameText.eachFrame) this.#context.openVideo();
  }

  /** Ingests what waits longest when its turn comes, unless memory is another by then, or all was dropped. */
  #ingestInTurn(): Promise<void> {
    const memory = this.#memories;
    return this.#timeline.run(async () => {
      if (memory === this.#memories) await this.#ingestNext();
    });
  }

  /** Puts a first frame into memory that is still waiting for its second. */
  async #ingestStill(): Promise<void> {
    this.#queue.completeHalf();
    await this.#ingestNext();
    if (this.#model.ring.counts.visual > 0) return;
    throw new InvalidInputError('Nothing has been seen yet. Start a camera, a video or the demo, then ask.');
  }

  async #ingestNext(): Promise<void> {
    const patch = this.#queue.shift();
    if (!patch) return;
    try {
      await this.#ingest(patch);
      this.#newestTimestampMs = patch.timesMs[1];
      patch.settle.resolve('ingested');
    } catch (error) {
      patch.settle.reject(error);
      throw error;
    } finally {
      this.#queue.release(patch);
    }
  }

  /** Encodes and prefills one temporal patch, pruning first where the budget asks for it. */
  async #ingest({ slot, timesMs }: TemporalPatch): Promise<void> {
    const { decoder, encoder, gpu } = this.#model;
    const context = this.#context;
    const place = this.#framePlace;
    const [first, second] = context.streamTimes(timesMs);
    const opening = this.#special(this.#frameText.before(place, (first + second) / 2000));
    const pruned = this.#clock.start('prune');
    if (context.makeFrameRoom(opening.length, first)) void pruned();
    if (opening.length > 0) {
      const range = context.text('dialogue', opening);
      if (place === 'after-turn') context.dialogue.openFrames(range);
      else context.dialogue.separate(range);
    }
    if (!context.positions.inVideo) context.openVideo();
    const frame = context.frame(first);
    context.moments.add({ frame: frame.place.frame, timestampMs: timesMs[0] });

    const encoded = this.#clock.start('encode');
    submit(gpu.device, 'encode', (pass) => encoder.record(pass, slot));
    void encoded();
    const prefilled = this.#clock.start('prefill');
    submit(gpu.device, 'prefill frame', decoder.prefill(frame));
    await this.#timeline.unlessFailed(prefilled());
  }

  get #framePlace(): FramePlace {
    if (this.#context.positions.inVideo) return 'next';
    const { visual, dialogue } = this.#model.ring.counts;
    return visual + dialogue === 0 ? 'first' : 'after-turn';
  }

  /** Waits for its turn and answers. @param begins called when the turn has come. */
  async *#ask(text: string, options: AskOptions, begins: () => void): AsyncGenerator<string, void> {
    if (!text) throw new InvalidInputError('The question is empty. Type what you want to know.');
    const memory = this.#memories;
    const release = await this.#timeline.enter();
    try {
      if (options.signal?.aborted || memory !== this.#memories) return;
      begins();
      if (this.#model.ring.counts.visual === 0) await this.#ingestStill();
      yield* this.#answer(text, options);
    } catch (error) {
      await this.#timeline.rethrow(error);
    } finally {
      this.#answering = undefined;
      release();
    }
  }

  async *#answer(
    text: string,
    { signal, remember = true, ...options }: AskOptions,
  ): AsyncGenerator<string, void> {
    const { ring, decoder, tokenizer } = this.#model;
    const context = this.#context;
    const sampling = samplingOf(options.sampling);
    const watching = context.positions.inVideo;
    const pieces = this.#pieces;
    const closing = watching ? this.#special(this.#frameText.closing) : [];
    const lead = watching ? this.#frameText.leadAfterFrames : pieces.leadAfterAnswer;
    const question = [...tokenizer.encodeUserText(lead + text), ...this.#special(pieces.afterQuestion)];
    const afterAnswer = this.#special(pieces.afterAnswer);
    const nextFrame = this.#special(this.#frameText.before('after-turn', MANY_SECONDS));
    const markers = closing.length + afterAnswer.length + nextFrame.length;
    const limit = context.makeTextRoom(question.length + markers, sampling.maxTokens);

    const before = ring.nextSeq;
    const first = before + closing.length;
    const asked = performance.now();
    const firstId = await this.#timeline.unlessFailed(context.question([...closing, ...question], sampling));
    const answered = performance.now();
    this.#clock.record('question', answered - asked);
    const stream = new TextStream(tokenizer);
    const generated = generate(
      {
        decoder,
        firstId,
        next: () => context.answerToken(),
        sampling,
        limit,
        isEnd: (id) => tokenizer.eosTokenIds.has(id),
        signal,
      },
      ({ ids, cached }) => {
        this.#clock.record('decode', (performance.now() - answered) / Math.max(1, cached));
        if (!remember) {
          context.rollback(ring.nextSeq - before);
          return;
        }
        // Steps past the answer's end are taken back; tokens never fed through a step go in with what follows.
        context.rollback(Math.max(0, cached - ids.length));
        context.text('dialogue', [...ids.slice(cached), ...afterAnswer]);
        if (watching) context.dialogue.closeFrames({ first: before, end: first });
        context.dialogue.addTurn({ first, end: ring.nextSeq });
      },
    );
    for await (const id of generated) {
      this.#timeline.check();
      const piece = stream.push(id);
      if (piece) yield piece;
    }
    const rest = stream.end();
    if (rest) yield rest;
  }

  #special(piece: string): number[] {
    return this.#model.tokenizer.encode(piece, { parseSpecial: true });
  }
}
