// The page's hand on the engine worker: starts it, calls it, and turns what it throws into typed errors.
import * as Comlink from 'comlink';
import type { Budget, MemoryLens, PolicyName, WatchResult } from '../src/engine/contract';
import {
  DeviceLostError,
  DownloadError,
  EngineError,
  FileChangedError,
  GpuError,
  InvalidInputError,
  MemoryFullError,
  ModelFormatError,
  OutOfMemoryError,
  ShaderError,
  SnapshotError,
  StorageError,
  UnsupportedDeviceError,
} from '../src/engine/errors';
import type { StoredModel } from '../src/engine/store/model-store';
import type { EngineWorker } from './engine-worker';
import workerUrl from './engine-worker?worker&url';
import { openHubFrame } from './hub-link';
import type { AnswerEnd, LoadEnd, LoadPlan, LoadRequest, LoadStatus, MemoryView } from './protocol';

const ERROR_CLASSES = {
  DeviceLostError,
  DownloadError,
  FileChangedError,
  GpuError,
  InvalidInputError,
  MemoryFullError,
  ModelFormatError,
  OutOfMemoryError,
  ShaderError,
  SnapshotError,
  StorageError,
  UnsupportedDeviceError,
};

/** What a load tells the page while and after it runs. */
export interface EngineEvents {
  readonly onStatus: (status: LoadStatus) => void;
  /** The GPU failed or the worker died: nothing on it can be used any more. */
  readonly onLost: (error: Error) => void;
}

/** One engine worker. After `dispose`, or once lost, make a new one. */
export class EngineClient {
  readonly #worker: Worker;
  readonly #remote: Comlink.Remote<EngineWorker>;
  readonly #events: EngineEvents;
  /** Rejects of the calls under way: a dead worker never answers them. */
  readonly #underWay = new Set<(error: Error) => void>();
  #ended: Error | null = null;
  /** Of the last load, for while the worker does not know of it yet. */
  #loading = new AbortController();

  constructor(events: EngineEvents) {
    this.#events = events;
    this.#worker = startWorker();
    this.#worker.addEventListener('error', (event) => {
      this.#lost(new DeviceLostError(`The engine stopped (${event.message || 'its worker did not start'}).`));
    });
    this.#remote = Comlink.wrap<EngineWorker>(this.#worker);
  }

  /** Loads a model. @throws the engine's typed errors, and an AbortError when cancelled. */
  load(request: LoadRequest): Promise<LoadEnd> {
    const onStatus = Comlink.proxy((status: LoadStatus) => {
      if (!this.#ended) this.#events.onStatus(status);
    });
    const onFailed = Comlink.proxy((kind: string, message: string) =>
      this.#lost(typed(Object.assign(new Error(message), { name: kind }))),
    );
    const loading = new AbortController();
    this.#loading = loading;
    return this.#withHub(request, async (hub) => {
      loading.signal.throwIfAborted();
      return this.#remote.load(request, onStatus, onFailed, hub);
    });
  }

  /** What a load would take; nothing but the headers of its files is downloaded. @throws as `load`. */
  plan(request: LoadRequest): Promise<LoadPlan> {
    return this.#withHub(request, (hub) => this.#remote.plan(request, hub));
  }

  /** Ends the load under way. What has arrived stays for the next one. */
  cancelLoad(): Promise<void> {
    this.#loading.abort(new DOMException('Loading was cancelled.', 'AbortError'));
    return this.#call(() => this.#remote.cancelLoad());
  }

  /** The models that are kept on this device, whole or in part. */
  models(): Promise<StoredModel[]> {
    return this.#call(() => this.#remote.models());
  }

  /** Deletes a model that is kept. @throws StorageError while it is being loaded. */
  deleteModel(id: string): Promise<void> {
    return this.#call(() => this.#remote.deleteModel(id));
  }

  /** Hands a frame over; the worker closes it. */
  watch(frame: VideoFrame, timestampMs: number): Promise<WatchResult> {
    if (this.#ended) {
      frame.close();
      return Promise.reject(this.#ended);
    }
    return this.#call(() => this.#remote.watch(Comlink.transfer(frame, [frame]), timestampMs));
  }

  /** Asks a question; pieces of the answer arrive through `onText` before the promise resolves. */
  ask(question: string, onText: (piece: string) => void): Promise<AnswerEnd> {
    return this.#call(() => this.#remote.ask(question, Comlink.proxy(onText)));
  }

  /** Ends the answer in progress. */
  stop(): Promise<void> {
    return this.#call(() => this.#remote.stop());
  }

  /** What memory holds, or null before a model is loaded. */
  memory(): Promise<MemoryView | null> {
    return this.#call(() => this.#remote.memory());
  }

  /** How much of what was seen memory still holds, once an answer under way is done; null before a model is loaded. */
  lens(): Promise<MemoryLens | null> {
    return this.#call(() => this.#remote.lens());
  }

  configure(change: { policy?: PolicyName; budget?: Budget }): Promise<void> {
    return this.#call(() => this.#remote.configure(change));
  }

  /** Puts a last frame that has no partner into memory. */
  flush(): Promise<void> {
    return this.#call(() => this.#remote.flush());
  }

  /** Empties memory and conversation. */
  forget(): Promise<void> {
    return this.#call(() => this.#remote.forget());
  }

  /** Memory and conversation as bytes, to be kept and restored. */
  save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call(() => this.#remote.save());
  }

  /** Goes on from what was saved. The bytes are handed over: this thread has them no more. */
  restore(snapshot: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#call(() => this.#remote.restore(Comlink.transfer(snapshot, [snapshot.buffer])));
  }

  /** Ends the worker and with it everything on the GPU. */
  dispose(): void {
    this.#end(new DeviceLostError('The engine was closed.'));
  }

  #lost(error: Error): void {
    if (this.#ended) return;
    this.#end(error);
    this.#events.onLost(error);
  }

  #end(error: Error): void {
    this.#ended = error;
    this.#worker.terminate();
    for (const reject of this.#underWay) reject(error);
    this.#underWay.clear();
  }

  /** Calls with a line to the hub, open as long as the call lasts, if the model is there. */
  async #withHub<T>({ source }: LoadRequest, start: (hub?: MessagePort) => Promise<T>): Promise<T> {
    if (source.kind !== 'hub') return this.#call(() => start());
    const { port, close } = await openHubFrame();
    try {
      return await this.#call(() => start(port && Comlink.transfer(port, [port])));
    } finally {
      close();
    }
  }

  #call<T>(start: () => Promise<T>): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise<T>((resolve, reject) => {
      this.#underWay.add(reject);
      start()
        .then(resolve, (error: unknown) => reject(typed(error)))
        .finally(() => this.#underWay.delete(reject));
    });
  }
}

/**
 * Starts the worker from a blob that imports it. A worker loaded from the server goes by the headers it came with,
 * and most static hosts send none; one started from a blob inherits the page's content policy.
 */
function startWorker(): Worker {
  const start = `import ${JSON.stringify(new URL(workerUrl, location.href).href)};`;
  const blobUrl = URL.createObjectURL(new Blob([start], { type: 'text/javascript' }));
  const worker = new Worker(blobUrl, { type: 'module', name: 'ringside-engine' });
  // Once it speaks it has been read; some browsers read it later than the constructor returns.
  worker.addEventListener('message', () => URL.revokeObjectURL(blobUrl), { once: true });
  return worker;
}

/** The error as its class, known by its name: cloning between threads keeps name and message only. */
function typed(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error instanceof EngineError) return error;
  const known = ERROR_CLASSES[error.name as keyof typeof ERROR_CLASSES];
  return known ? new known(error.message, { cause: error }) : error;
}
