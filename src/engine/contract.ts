// The engine's public types: what a page, a worker or the command line sees of it. Types only.

/** Which tokens stay when the ring is full; the files of `memory/policies/` state the formulas. */
export type PolicyName = 'full' | 'sliding-window' | 'uniform' | 'random' | 'tar' | 'van' | 'infinipot-v';

/**
 * Rotary positions of an endless stream. `absolute`: they count up for ever; only gaps between videos, where text was
 * let go, close when there are many. `rebased`: before they pass the range the model was trained on they come back to
 * half of it, as if seconds long past had not been (`memory/positions.ts`).
 */
export type PositionPolicy = 'absolute' | 'rebased';

/** Which keys TaR compares: as they are cached, rotated by their positions, or with that rotation undone. */
export type TarKeys = 'cached' | 'unrotated';

/** How much visual memory may be held: in tokens of each (layer, head), or in bytes of keys and values. */
export type Budget = { readonly tokens: number } | { readonly bytes: number };

/** How the next token is chosen. `temperature` 0 is greedy; `topK` 0 and `topP` 1 switch their filters off. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  /** Upper bound of an answer's length in tokens. */
  readonly maxTokens: number;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly sampling?: Partial<Sampling>;
  /**
   * False: once answered, question and answer are as if they had never been, but for older turns, and distances
   * between positions, that had to make room for them. True if left out.
   */
  readonly remember?: boolean;
}

/** RGB bytes of one frame, `[height, width, 3]`: what Node feeds where a browser has a VideoFrame. */
export interface RgbFrame {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A frame handed to `watch`. A VideoFrame is owned by the engine from then on, which closes it. */
export type Frame = VideoFrame | RgbFrame;

/** What became of a watched frame: in memory; kept until its partner of the temporal patch comes; or let go. */
export type WatchResult = 'ingested' | 'waiting' | 'dropped';

/** Counts and bytes of the session's memory; all known to the CPU without reading the GPU. */
export interface MemoryReport {
  readonly policy: PolicyName;
  /** Most visual tokens the ring may hold at any time, and how many it was allocated for. */
  readonly budgetTokens: number;
  readonly capacityTokens: number;
  readonly visualTokens: number;
  readonly dialogueTokens: number;
  readonly pinnedTokens: number;
  readonly tokensPerFrame: number;
  /** Bytes of one visual token's keys and values. */
  readonly bytesPerToken: number;
  /** Every GPU byte of the session, and the same by purpose (weights, kv-cache, activations, …). */
  readonly gpuBytes: number;
  readonly gpuBytesByPurpose: Readonly<Record<string, number>>;
  readonly prunes: number;
  readonly positions: PositionPolicy;
  /** The largest rotary position in memory, and how many positions the model was trained on. */
  readonly newestPosition: number;
  readonly trainedPositions: number;
  /** How often positions were brought back since memory was last empty. */
  readonly rebases: number;
  /** Video frames accepted for this memory, and those of them dropped because the queue was full. */
  readonly framesSeen: number;
  readonly framesDropped: number;
  /** Temporal patches (of one video frame or two, as the family has it) now waiting to be ingested. */
  readonly queued: number;
  /**
   * Milliseconds of the newest run of each stage: preprocess (a frame), encode and prefill (a temporal patch),
   * prune, question (until the answer's first token), decode (a token).
   */
  readonly stageMs: Readonly<Record<string, number>>;
  /** Timestamp of the newest ingested frame, or -1. */
  readonly newestTimestampMs: number;
}

/** A moment that was seen, and how much of it memory still holds. */
export interface Moment {
  /** Number of the temporal patch since memory was last empty. */
  readonly frame: number;
  /** Of the first of its video frames, as given to `watch`. */
  readonly timestampMs: number;
  /** In how many (layer, KV head) each of its patches is held, `[rows, columns]`. */
  readonly held: Uint32Array<ArrayBuffer>;
  /** Tokens held, over all (layer, KV head), of what was seen after it and before the next moment. */
  readonly heldBetween: number;
}

/** What memory holds of what was seen. */
export interface MemoryLens {
  /** (layer, KV head) pairs: the most that can hold a patch. */
  readonly heads: number;
  /** Of a frame's grid of patches, as the decoder sees them. */
  readonly rows: number;
  readonly columns: number;
  /**
   * In order. However long the stream, they are few: the first frame, the newest ones, and others evenly over the time
   * between. What they hold, and what is held between them, is all that memory holds of frames.
   */
  readonly moments: readonly Moment[];
}

/** Progress of loading; `fraction` runs from 0 to 1 over the whole load. */
export interface LoadProgress {
  readonly stage: 'files' | 'weights' | 'shaders' | 'ready';
  readonly fraction: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/**
 * One stream and its conversation. `watch` puts frames into memory, `ask` answers from memory; both may be
 * called at any time, in any order: the session keeps its own timeline, and frames that arrive during an
 * answer wait in a bounded queue, newest kept.
 */
export interface Session {
  /**
   * Takes one frame. The first of two that make a temporal patch resolves at once; else it does when they are in
   * memory, or were dropped because newer frames filled the queue. Await it to feed a file at the engine's own
   * pace; of a live source, only its failure matters.
   * @param timestampMs in order within a source. One below the newest is of another source, which goes on behind it.
   * @throws MemoryFullError under a policy that lets go of nothing; InvalidInputError for a bad frame.
   */
  watch(frame: Frame, timestampMs: number): Promise<WatchResult>;
  /**
   * Answers a question about what was seen, as pieces of text. Aborting ends the answer where it stands and
   * keeps it as such in the conversation. Forgetting and restoring end it too, and whatever waits for its turn.
   * @throws InvalidInputError on an empty question, or when nothing was seen yet.
   */
  ask(question: string, options?: AskOptions): AsyncGenerator<string, void>;
  memory(): MemoryReport;
  /**
   * What memory still holds, moment by moment, read back from the GPU: some numbers a moment. Takes its turn, so it
   * waits for an answer under way; the work itself holds nothing up.
   */
  lens(): Promise<MemoryLens>;
  /** Changes policies, what they compare, or the budget at once; a smaller budget prunes at the next frame. */
  configure(change: {
    policy?: PolicyName;
    pooling?: boolean;
    tarKeys?: TarKeys;
    /** Of the policy `random`. */
    seed?: number;
    budget?: Budget;
    positions?: PositionPolicy;
  }): void;
  /** Puts a frame into memory that still waits for its partner, as a still picture: at the end of a source. */
  flush(): Promise<void>;
  /** Empties memory and conversation at once; frames that come from now on go into the new memory. */
  forget(): Promise<void>;
  /**
   * Memory and conversation as bytes: `restore` goes on from them as if nothing had happened since, here or in
   * another session of the same model and sizes. Takes its turn; frames that wait are not part of it.
   * @throws OutOfMemoryError when there is no room for the bytes.
   */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Replaces memory and conversation, policies, what they compare, and budget by saved ones, as `forget` empties them.
   * @throws SnapshotError when the bytes are damaged, of another Ringside's format, or of another model or other sizes;
   *   memory is then as it was.
   */
  restore(snapshot: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Releases every GPU object. */
  dispose(): void;
}
