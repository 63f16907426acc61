// The session: watch and ask over one stream and its conversation. It keeps one timeline — ingesting a frame,
// answering, forgetting happen one after the other, in the order they came — and decides what stands where:
//
//   opening · frames · [vision end · question · answer · … · vision start · frames]*
//
// The opening is pinned, frames are the ring's visual tokens, the rest is dialogue.

import type {
  AskOptions,
  Budget,
  Frame,
  LoadProgress,
  MemoryReport,
  PolicyName,
  Sampling,
  Session,
  WatchResult,
} from './contract';
import { generate } from './decoder/generate';
import { framePositions, textPositions } from './decoder/rotary';
import { Dialogue, type SeqRange } from './dialogue';
import { DeviceLostError, type EngineError, InvalidInputError } from './errors';
import { FrameQueue } from './frame-queue';
import type { ByteSource } from './gguf/byte-source';
import { checkVideoFrames, openDevice } from './gpu/device';
import { submit } from './gpu/program';
import type { Allocation, Region } from './memory/ring';
import { bytesPerToken } from './memory/ring-shape';
import { loadModel, type Model } from './model';
import { StageClock } from './stage-clock';
import type { ConversationPieces } from './text/chat-template';
import { TextStream } from './text/tokenizer';
import { Timeline } from './timeline';

export interface SessionOptions {
  /** WebGPU's entry point; the browser's own if left out. */
  readonly gpu?: GPU;
  readonly model: ByteSource;
  readonly mmproj: ByteSource;
  /** Size the encoder sees, in multiples of 28 pixels. */
  readonly frame: { readonly width: number; readonly height: number };
  readonly memory?: {
    readonly policy?: PolicyName;
    /** Whether value norms are pooled over neighbouring patches; false if left out. */
    readonly pooling?: boolean;
    readonly budget?: Budget;
    /** Most visual tokens any later budget may allow; the ring is allocated for so many. */
    readonly capacityTokens?: number;
    /** Room for text, pinned and dialogue. */
    readonly textTokens?: number;
  };
  /** Largest frame given as RGB bytes, in pixels. */
  readonly maxRgbPixels?: number;
  readonly precision?: 'f32' | 'f16';
  readonly onProgress?: (progress: LoadProgress) => void;
  /** The GPU failed while running (see `Gpu.failure`): nothing in this session can be used any more. */
  readonly onFailed?: (error: EngineError) => void;
}

const DEFAULT_SAMPLING: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0, maxTokens: 128 };
const DEFAULT_CAPACITY_TOKENS = 1024;
const DEFAULT_TEXT_TOKENS = 1024;

/**
 * Opens the GPU, loads the model and starts an empty session.
 * @throws UnsupportedDeviceError, ModelFormatError, OutOfMemoryError, InvalidInputError; nothing stays behind.
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  const { memory = {} } = options;
  const gpu = await openDevice(options.gpu ?? globalThis.navigator?.gpu);
  try {
    if (!options.maxRgbPixels) checkVideoFrames(gpu);
    const model = await loadModel(gpu, {
      ...options,
      visualTokens: memory.capacityTokens ?? DEFAULT_CAPACITY_TOKENS,
      textTokens: memory.textTokens ?? DEFAULT_TEXT_TOKENS,
      maxRgbPixels: options.maxRgbPixels ?? 0,
    });
    return new StreamSession(model, options);
  } catch (error) {
    gpu.device.destroy();
    throw error;
  }
}

/** @throws InvalidInputError naming the field that is out of range. */
function checkSampling(sampling: Sampling): Sampling {
  const { temperature, topK, topP, seed, maxTokens } = sampling;
  const check = (name: string, value: number, good: boolean, range: string) => {
    if (!good) throw new InvalidInputError(`The sampling's ${name} is ${value}; it must be ${range}.`);
  };
  check('temperature', temperature, temperature >= 0 && Number.isFinite(temperature), '0 or more');
  check('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number, 0 or more');
  check('topP', topP, topP >= 0 && topP <= 1, 'from 0 to 1');
  check('seed', seed, Number.isInteger(seed), 'a whole number');
  check('maxTokens', maxTokens, Number.isInteger(maxTokens) && maxTokens >= 1, 'a whole number, 1 or more');
  return sampling;
}

/** Consecutive frames: a video of its own within the conversation. */
interface Segment {
  /** Position of its first frame. */
  readonly start: number;
  /** Temporal patches so far. */
  time: number;
}

class StreamSession implements Session {
  readonly #model: Model;
  readonly #pieces: ConversationPieces;
  readonly #queue: FrameQueue;
  readonly #timeline = new Timeline();
  readonly #dialogue = new Dialogue();
  readonly #clock: StageClock;
  /** The video now open, if the last thing in memory is a frame or a vision start. */
  #segment: Segment | undefined;
  #nextPosition = 0;
  #framesSeen = 0;
  /** How often memory was emptied: a turn taken for a frame of one memory must not take one of the next. */
  #memories = 0;
  #newestTimestampMs = -1;

  constructor(model: Model, { memory, onFailed }: SessionOptions) {
    this.#model = model;
    this.#pieces = model.conversation;
    this.#queue = new FrameQueue(model.frames);
    this.#clock = new StageClock(model.gpu.device.queue);
    model.ring.configure({ policy: memory?.policy, pooling: memory?.pooling, budget: memory?.budget });
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
    const pairs = this.#queue.length;
    const result = this.#queue.push(frame, timestampMs);
    void preprocessed();
    this.#framesSeen++;
    if (this.#queue.length > pairs) this.#scheduleIngest();
    return result;
  }

  async *ask(question: string, options: AskOptions = {}): AsyncGenerator<string, void> {
    const text = question.trim();
    if (!text) throw new InvalidInputError('The question is empty. Type what you want to know.');
    const release = await this.#timeline.enter();
    try {
      if (options.signal?.aborted) return;
      if (this.#model.ring.counts.visual === 0) await this.#ingestStill();
      yield* this.#answer(text, options);
    } catch (error) {
      // A lost device shows first as a failed read; the loss itself is told a moment later.
      await new Promise((resolve) => setTimeout(resolve));
      this.#timeline.check();
      throw error;
    } finally {
      release();
    }
  }

  memory(): MemoryReport {
    const { ring, ledger } = this.#model;
    const { pinned, visual, dialogue } = ring.counts;
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
      framesSeen: this.#framesSeen,
      framesDropped: this.#queue.dropped,
      queued: this.#queue.length,
      stageMs: this.#clock.newest,
      newestTimestampMs: this.#newestTimestampMs,
    };
  }

  configure(change: { policy?: PolicyName; pooling?: boolean; budget?: Budget }): void {
    this.#model.ring.configure(change);
  }

  async flush(): Promise<void> {
    this.#queue.completeHalf();
    await this.#timeline.run(() => this.#ingestNext());
  }

  async forget(): Promise<void> {
    // What waits now goes at once; what arrives from now on belongs to the new memory.
    this.#queue.clear();
    this.#memories++;
    this.#framesSeen = 0;
    const release = await this.#timeline.enter();
    try {
      this.#model.ring.reset();
      this.#dialogue.clear();
      this.#newestTimestampMs = -1;
      this.#open();
    } finally {
      release();
    }
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

  /** Pins what stands before the first frame. */
  #open(): void {
    this.#nextPosition = 0;
    this.#prefillText('pinned', this.#special(this.#pieces.opening));
    this.#segment = { start: this.#nextPosition, time: 0 };
  }

  /** Ingests one pair when its turn comes; the pair may have been dropped by then. */
  #scheduleIngest(): void {
    const memory = this.#memories;
    const turn = this.#timeline.run(async () => {
      if (memory === this.#memories) await this.#ingestNext();
    });
    // Whoever watches has been told: by the pair, or by the failed timeline.
    turn.catch(() => {});
  }

  /** Puts a first frame into memory that is still waiting for its second. */
  async #ingestStill(): Promise<void> {
    this.#queue.completeHalf();
    await this.#ingestNext();
    if (this.#model.ring.counts.visual > 0) return;
    throw new InvalidInputError('Nothing has been seen yet. Start a camera, a video or the demo, then ask.');
  }

  async #ingestNext(): Promise<void> {
    const pair = this.#queue.shift();
    if (!pair) return;
    try {
      await this.#ingest(pair.slot);
      this.#newestTimestampMs = pair.timestampMs;
      pair.settle.resolve('ingested');
    } catch (error) {
      pair.settle.reject(error);
      throw error;
    } finally {
      this.#queue.release(pair);
    }
  }

  /** Encodes and prefills one temporal patch, pruning first where the budget asks for it. */
  async #ingest(slot: number): Promise<void> {
    const { ring, decoder, encoder, grid, gpu } = this.#model;
    const pruned = this.#clock.start('prune');
    if (ring.makeRoom()) void pruned();
    if (!this.#segment) {
      const range = this.#prefillText('dialogue', this.#special(this.#pieces.beforeFrames));
      this.#dialogue.openFrames(range);
      this.#segment = { start: this.#nextPosition, time: 0 };
    }
    const { start, time } = this.#segment;
    const place = ring.allocate('visual', grid.tokens);
    this.#segment.time++;
    this.#nextPosition = start + Math.max(time, grid.tokenRows - 1, grid.tokenCols - 1) + 1;

    const encoded = this.#clock.start('encode');
    submit(gpu.device, 'encode', (pass) => encoder.record(pass, slot));
    void encoded();
    const prefilled = this.#clock.start('prefill');
    const positions = framePositions(start, time, grid.tokenRows, grid.tokenCols);
    submit(gpu.device, 'prefill frame', decoder.prefill({ positions, place }));
    await this.#timeline.unlessFailed(prefilled());
  }

  async *#answer(
    text: string,
    { signal, remember = true, ...options }: AskOptions,
  ): AsyncGenerator<string, void> {
    const { ring, decoder, tokenizer } = this.#model;
    const sampling = checkSampling({ ...DEFAULT_SAMPLING, ...options.sampling });
    const closing = this.#segment ? this.#special(this.#pieces.afterFrames) : [];
    const question = [...tokenizer.encodeUserText(text), ...this.#special(this.#pieces.afterQuestion)];
    const afterAnswer = this.#special(this.#pieces.afterAnswer);
    const markers = closing.length + afterAnswer.length + this.#special(this.#pieces.beforeFrames).length;
    const limit = this.#makeTextRoom(question.length + markers, sampling.maxTokens);

    const before = { seq: ring.nextSeq, position: this.#nextPosition };
    const closed = this.#prefillText('dialogue', closing);
    const first = ring.nextSeq;
    const asked = performance.now();
    const firstId = await this.#timeline.unlessFailed(this.#prefillSampled(question, sampling));
    const answered = performance.now();
    this.#clock.record('question', answered - asked);
    const stream = new TextStream(tokenizer);
    const generated = generate(
      {
        decoder,
        firstId,
        position: this.#nextPosition,
        place: () => ring.allocate('dialogue', 1),
        sampling,
        limit,
        isEnd: (id) => tokenizer.eosTokenIds.has(id),
        signal,
      },
      ({ ids, cached }) => {
        this.#clock.record('decode', (performance.now() - answered) / Math.max(1, cached));
        if (!remember) {
          ring.rollback(ring.nextSeq - before.seq);
          this.#nextPosition = before.position;
          return;
        }
        // Steps past the answer's end are taken back; tokens never fed through a step go in with what follows.
        if (cached > ids.length) ring.rollback(cached - ids.length);
        const kept = Math.min(cached, ids.length);
        this.#nextPosition += kept;
        this.#prefillText('dialogue', [...ids.slice(kept), ...afterAnswer]);
        if (this.#segment) this.#dialogue.closeFrames(closed);
        this.#segment = undefined;
        this.#dialogue.addTurn({ first, end: ring.nextSeq });
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

  /**
   * Lets go of the oldest turns until `needed` tokens fit, and after them an answer of `longest`; of a longer
   * one, as much as a quarter of the dialogue's share.
   * @returns how long the answer may get.
   */
  #makeTextRoom(needed: number, longest: number): number {
    const { ring } = this.#model;
    const possible = ring.textRoom + this.#dialogue.releasable - needed;
    if (possible < 1) {
      throw new InvalidInputError(
        `The question is ${needed} tokens long, but only ${possible + needed} fit. Ask in fewer words.`,
      );
    }
    const share = ring.textRoom + ring.counts.dialogue;
    const wanted = Math.min(longest, possible, Math.ceil(share / 4));
    while (ring.textRoom < needed + wanted) {
      const ranges = this.#dialogue.dropOldest();
      if (ranges.length === 0) break;
      for (const { first, end } of ranges) ring.dropDialogue(first, end);
    }
    return Math.min(longest, ring.textRoom - needed);
  }

  #special(piece: string): number[] {
    return this.#model.tokenizer.encode(piece, { parseSpecial: true });
  }

  /** Prefills text, in blocks; nothing is sampled. */
  #prefillText(region: Region, ids: readonly number[]): SeqRange {
    const { decoder, gpu, ring } = this.#model;
    const first = ring.nextSeq;
    for (const block of this.#textBlocks(region, ids)) {
      submit(gpu.device, 'prefill text', decoder.prefill(block));
    }
    return { first, end: ring.nextSeq };
  }

  /** Prefills a question and samples the answer's first token. */
  async #prefillSampled(ids: readonly number[], sampling: Sampling): Promise<number> {
    const { decoder, gpu } = this.#model;
    const blocks = [...this.#textBlocks('dialogue', ids)];
    const last = blocks.pop()!;
    for (const block of blocks) submit(gpu.device, 'prefill question', decoder.prefill(block));
    return decoder.submitSampled(
      'prefill question',
      decoder.prefill({ ...last, choice: { sampling, draw: 0 } }),
    );
  }

  /** Allocates text and cuts it into blocks the decoder can take, advancing the position. */
  *#textBlocks(region: Region, ids: readonly number[]) {
    const { decoder, ring } = this.#model;
    for (let at = 0; at < ids.length; at += decoder.blockTokens) {
      const block = ids.slice(at, at + decoder.blockTokens);
      const place: Allocation = ring.allocate(region, block.length);
      const positions = textPositions(this.#nextPosition, block.length);
      this.#nextPosition += block.length;
      yield { ids: block, positions, place };
    }
  }
}
