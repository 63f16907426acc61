// The engine behind a worker boundary: one session at a time, answers streamed through a callback.
// Errors cross the boundary by name and message; `engine-client.ts` makes them typed again.
import * as Comlink from 'comlink';
import type { Budget, MemoryLens, PolicyName, Session, WatchResult } from '../src/engine/contract';
import { InvalidInputError } from '../src/engine/errors';
import { type ByteSource, blobSource } from '../src/engine/gguf/byte-source';
import type { HttpOptions } from '../src/engine/gguf/http-exchange';
import { createSession, planSession } from '../src/engine/session';
import type { SessionOptions } from '../src/engine/session-options';
import type { StoredModel } from '../src/engine/store/model-store';
import { portFetch } from './hub-link';
import { loadKeptModel, type ModelUse, modelStore, readKeptModel } from './model-loading';
import type {
  AnswerEnd,
  DownloadStatus,
  LoadEnd,
  LoadPlan,
  LoadRequest,
  LoadStatus,
  MemoryView,
} from './protocol';
import { RateMeter } from './rate-meter';

/** Share of a load's progress that downloading takes; the rest is the engine's. */
const DOWNLOAD_SHARE = 0.6;
const RATE_WINDOW_MS = 4000;

class EngineHost {
  #session: Session | null = null;
  #answer: AbortController | null = null;
  #loading: AbortController | null = null;
  #rate = new RateMeter(RATE_WINDOW_MS);

  /**
   * Loads a model, downloading of it what is not here, and builds the session. Replaces an earlier one.
   * @param hub leads to the hub, where the model is there (`hub-link.ts`).
   */
  async load(
    request: LoadRequest,
    onStatus: (status: LoadStatus) => void,
    onFailed: (kind: string, message: string) => void,
    hub?: MessagePort,
  ): Promise<LoadEnd> {
    this.dispose();
    const { source } = request;
    const loading = new AbortController();
    this.#loading = loading;
    let download: DownloadStatus | null = null;
    let engine: Pick<LoadStatus, 'stage' | 'fraction'> = { stage: 'download', fraction: 0 };
    const tell = () => onStatus(joint(download, engine));
    const use: ModelUse<Session> = async (model, mmproj, onWeights) => {
      const session = await createSession({
        ...sessionOptions(request, model, mmproj),
        onProgress: ({ stage, fraction }) => {
          engine = { stage, fraction };
          // Every buffer has been had by then, so the model fits.
          if (stage === 'weights') onWeights();
          tell();
        },
        // Only what is thrown keeps its name across the boundary; an error passed as an argument loses it.
        onFailed: ({ kind, message }) => onFailed(kind, message),
      });
      if (loading.signal.aborted) {
        session.dispose();
        throw loading.signal.reason;
      }
      return session;
    };
    try {
      if (source.kind === 'files') {
        this.#session = await use(blobSource(source.model), blobSource(source.mmproj), () => {});
        return { kept: false };
      }
      const onDownload = (status: DownloadStatus) => {
        download = status;
        tell();
      };
      const options = { http: httpOptions(hub), signal: loading.signal, onDownload };
      const { result, kept } = await loadKeptModel(await modelStore(), source, options, use);
      this.#session = result;
      return { kept };
    } finally {
      if (this.#loading === loading) this.#loading = null;
    }
  }

  /** What a load would take, from the headers of its files; nothing else is downloaded, or put on the GPU. */
  async plan(request: LoadRequest, hub?: MessagePort): Promise<LoadPlan> {
    const { source } = request;
    const look = (model: ByteSource, mmproj: ByteSource) =>
      planSession(sessionOptions(request, model, mmproj));
    const ofFiles = async ({ model, mmproj }: { readonly model: File; readonly mmproj: File }) => {
      const bytes = model.size + mmproj.size;
      return {
        result: await look(blobSource(model), blobSource(mmproj)),
        bytesHere: bytes,
        bytesTotal: bytes,
      };
    };
    const { result, ...bytes } =
      source.kind === 'files'
        ? await ofFiles(source)
        : await readKeptModel(await modelStore(), source, httpOptions(hub), look);
    const gpuBytes = Object.values(result).reduce((sum, part) => sum + part, 0);
    return { ...bytes, gpuBytes, gpuBytesByPurpose: result };
  }

  /** Ends the load under way, which then fails with an AbortError. What has arrived stays for the next one. */
  cancelLoad(): void {
    this.#loading?.abort(new DOMException('Loading was cancelled.', 'AbortError'));
  }

  /** The models that are kept on this device, whole or in part. */
  async models(): Promise<StoredModel[]> {
    return (await (await modelStore())?.list()) ?? [];
  }

  /** Deletes a model that is kept. @throws StorageError while it is being loaded. */
  async deleteModel(id: string): Promise<void> {
    await (await modelStore())?.delete(id);
  }

  /** Puts a frame into memory; the engine closes it. */
  async watch(frame: VideoFrame, timestampMs: number): Promise<WatchResult> {
    if (!this.#session) {
      frame.close();
      return 'dropped';
    }
    const result = await this.#session.watch(frame, timestampMs);
    if (result !== 'dropped') this.#rate.count(performance.now());
    return result;
  }

  /** Puts a last frame that has no partner into memory. */
  async flush(): Promise<void> {
    await this.#session?.flush();
  }

  /** Answers from memory, handing every piece of text to `onText` as it comes. */
  async ask(question: string, onText: (piece: string) => void): Promise<AnswerEnd> {
    const answer = new AbortController();
    this.#answer = answer;
    const started = performance.now();
    let text = '';
    let firstTextMs: number | null = null;
    try {
      for await (const piece of this.#loaded.ask(question, { signal: answer.signal })) {
        firstTextMs ??= performance.now() - started;
        text += piece;
        onText(piece);
      }
    } finally {
      if (this.#answer === answer) this.#answer = null;
    }
    return { text, stopped: answer.signal.aborted, firstTextMs, totalMs: performance.now() - started };
  }

  /** Ends the answer in progress where it stands. */
  stop(): void {
    this.#answer?.abort();
  }

  /** What memory holds now, or null before a load. */
  memory(): MemoryView | null {
    if (!this.#session) return null;
    return { report: this.#session.memory(), framesPerSecond: this.#rate.rate(performance.now()) };
  }

  /** How much of what was seen memory still holds, or null before a load. */
  async lens(): Promise<MemoryLens | null> {
    return (await this.#session?.lens()) ?? null;
  }

  configure(change: { policy?: PolicyName; budget?: Budget }): void {
    this.#loaded.configure(change);
  }

  /** Empties memory and conversation; an answer in progress counts as stopped. */
  async forget(): Promise<void> {
    this.stop();
    await this.#session?.forget();
  }

  /** Memory and conversation as bytes, which are handed over, not copied. */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const snapshot = await this.#loaded.save();
    return Comlink.transfer(snapshot, [snapshot.buffer]);
  }

  /** Replaces memory and conversation by saved ones; an answer in progress ends. */
  async restore(snapshot: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#loaded.restore(snapshot);
  }

  dispose(): void {
    this.stop();
    this.#session?.dispose();
    this.#session = null;
    this.#rate = new RateMeter(RATE_WINDOW_MS);
  }

  get #loaded(): Session {
    if (!this.#session) throw new InvalidInputError('The model is not loaded yet.');
    return this.#session;
  }
}

function httpOptions(hub: MessagePort | undefined): HttpOptions {
  return { fetch: hub && portFetch(hub) };
}

function sessionOptions(request: LoadRequest, model: ByteSource, mmproj: ByteSource): SessionOptions {
  return {
    model,
    mmproj,
    frame: request.frame,
    trainedPositions: request.trainedPositions,
    memory: {
      policy: request.policy,
      budget: { tokens: request.budgetTokens },
      capacityTokens: request.capacityTokens,
    },
  };
}

/** Progress of a load from that of its download and of the engine, which reads what arrives. */
function joint(
  download: DownloadStatus | null,
  { stage, fraction }: Pick<LoadStatus, 'stage' | 'fraction'>,
): LoadStatus {
  const arrived = download ? download.bytesHere / download.bytesTotal : 0;
  const isArriving = download !== null && arrived < 1;
  return {
    stage: isArriving ? 'download' : stage,
    fraction: DOWNLOAD_SHARE * (download ? arrived : fraction) + (1 - DOWNLOAD_SHARE) * fraction,
    download,
  };
}

/** What the page may call; Comlink turns each into a promise. */
export type EngineWorker = EngineHost;

Comlink.expose(new EngineHost());
