// Opens sources, feeds their frames to the engine, and knows what is being watched. A new source starts with an
// empty memory; going on with the camera or the screen after a break keeps what was seen.
import { DeviceLostError, EngineError, MemoryFullError } from '../../engine/errors';
import { type Facing, openCamera } from '../../media/camera';
import { feed } from '../../media/feed';
import { openVideoFile } from '../../media/file';
import { openScreen } from '../../media/screen';
import type { FrameSource } from '../../media/source';
import type { EngineControl } from './engine-control';
import type { LensControl } from './lens-control';
import { Picture } from './picture';
import { engineProblem, memoryFullProblem, type Problems, sourceProblem } from './problems';
import { Store } from './store';

/** What the user asks to watch. */
export type WatchRequest =
  | { readonly kind: 'camera'; readonly facing: Facing }
  | { readonly kind: 'screen' }
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'demo' };

/** What is being watched and how far. */
export interface WatchState {
  /** What is on view; stays after its end, until something else is chosen. */
  readonly request: WatchRequest | null;
  /** What is being opened: a permission prompt or a file header is pending. */
  readonly opening: WatchRequest | null;
  readonly phase: 'idle' | 'waiting' | 'watching' | 'finished' | 'ended';
  readonly name: string;
  readonly stream: MediaStream | null;
  /** Newest frame's time in its source, and the source's length if it has one. */
  readonly positionMs: number;
  readonly durationMs: number | null;
  /** Whether memory holds anything to ask about. */
  readonly seen: boolean;
}

/** A rate to sample at until the model's card tells its own. */
const DEFAULT_FRAMES_PER_SECOND = 2;

/** Nothing on view, nothing in memory. */
const NOTHING = {
  request: null,
  phase: 'idle',
  name: '',
  stream: null,
  positionMs: 0,
  durationMs: null,
  seen: false,
} as const;

/** The page's watching. */
export class WatchControl extends Store<WatchState> {
  /** Where frames of files are drawn while they are watched. */
  readonly picture = new Picture();
  readonly #engine: EngineControl;
  readonly #problems: Problems;
  readonly #lens: LensControl;
  /** Called when memory starts afresh for a source of this name. */
  readonly #onFreshStart: (name: string) => void;
  #source: FrameSource | null = null;
  #requested: WatchRequest | null = null;
  #starts = 0;
  /** Counts beginnings and ends of emptying memory: a frame on its way meanwhile is not in it. */
  #forgotten = 0;
  /** Engine time at which the current source began; engine time never runs backwards. */
  #baseMs = 0;
  #newestMs = 0;

  constructor(
    engine: EngineControl,
    problems: Problems,
    lens: LensControl,
    onFreshStart: (name: string) => void,
  ) {
    super({ ...NOTHING, opening: null });
    this.#engine = engine;
    this.#problems = problems;
    this.#lens = lens;
    this.#onFreshStart = onFreshStart;
    this.#followEngine();
  }

  /** Opens a source and watches it. What runs now goes on until the new source is open. */
  async start(request: WatchRequest): Promise<void> {
    const start = ++this.#starts;
    this.#requested = request;
    this.#problems.clear('source');
    this.#problems.clear('memory');
    const before = this.get().request;
    // A phone opens one camera at a time.
    if (request.kind === 'camera' && before?.kind === 'camera') this.#halt();
    this.set({ opening: request });
    let source: FrameSource;
    try {
      source = await this.#open(request);
    } catch (error) {
      if (start !== this.#starts) return;
      this.set({ opening: null });
      if (before && !this.#source) this.#end('ended');
      this.#problems.show('source', sourceProblem(error));
      return;
    }
    if (start !== this.#starts) {
      source.stop();
      return;
    }
    this.#halt();
    this.#source = source;
    const keepsMemory = goesOn(before, request);
    this.set({
      request,
      opening: null,
      phase: source.pace === 'file' ? 'waiting' : 'watching',
      name: source.name,
      stream: source.stream,
      positionMs: 0,
      durationMs: source.durationMs,
      seen: keepsMemory && this.get().seen,
    });
    await this.#watch(source, keepsMemory);
  }

  /** Watches the last request again: after a refusal, a break or a full memory. */
  async retry(): Promise<void> {
    if (this.#requested) await this.start(this.#requested);
  }

  /** Ends watching; memory keeps what was seen. */
  stop(): void {
    this.#starts++;
    this.#halt();
    this.set({ opening: null, phase: this.get().request ? 'ended' : 'idle', stream: null });
  }

  /** Empties memory; a source under way goes on filling it, one that has ended goes from view. */
  async forget(): Promise<void> {
    this.#forgotten++;
    this.set(this.#source ? { seen: false } : NOTHING);
    this.#problems.clear('memory');
    try {
      await this.#emptyMemory();
    } catch (error) {
      this.#report(error);
    } finally {
      this.#forgotten++;
    }
  }

  /** What is seen until the engine has forgotten is of no moment afterwards. */
  async #emptyMemory(): Promise<void> {
    this.#lens.clear();
    try {
      await this.#engine.get().client?.forget();
    } finally {
      this.#lens.clear();
    }
  }

  async #open(request: WatchRequest): Promise<FrameSource> {
    const framesPerSecond = this.#engine.get().card?.framesPerSecond ?? DEFAULT_FRAMES_PER_SECOND;
    switch (request.kind) {
      case 'camera':
        return openCamera(request.facing, framesPerSecond);
      case 'screen':
        return openScreen(framesPerSecond);
      case 'file':
        return openVideoFile(request.file, framesPerSecond);
      case 'demo':
        return openVideoFile(await this.#engine.demoClip(), framesPerSecond, 'Demo clip');
    }
  }

  async #watch(source: FrameSource, keepsMemory: boolean): Promise<void> {
    try {
      if (keepsMemory) {
        this.#baseMs = this.#newestMs + 1;
      } else {
        this.#baseMs = this.#newestMs = 0;
        this.#onFreshStart(source.name);
        await this.#emptyMemory();
      }
      if (source.pace === 'file') {
        await this.#engine.ready();
        if (this.#source !== source) return;
        this.set({ phase: 'watching' });
      }
      await feed(source, (frame, timestampMs) => this.#take(source, frame, timestampMs));
      if (this.#source !== source) return;
      await this.#engine.get().client?.flush();
      this.#lens.refresh();
      if (this.#source === source) this.#end('finished');
    } catch (error) {
      source.stop();
      if (this.#source !== source) return;
      this.#end('ended');
      this.#report(error);
    }
  }

  async #take(source: FrameSource, frame: VideoFrame, timestampMs: number): Promise<void> {
    const { client } = this.#engine.get();
    if (this.#source !== source || !client) {
      frame.close();
      // A live source goes on without an engine; a file would run through unseen.
      if (this.#source === source && source.pace === 'file') throw new DeviceLostError('The engine is gone.');
      return;
    }
    if (source.pace === 'file') this.picture.draw(frame);
    this.set({ positionMs: timestampMs });
    const forgotten = this.#forgotten;
    const engineMs = this.#baseMs + timestampMs;
    this.#lens.picture(frame, engineMs);
    try {
      const result = await client.watch(frame, engineMs);
      if (result === 'ingested') this.#lens.refresh();
      if (result === 'dropped' || this.#engine.get().client !== client) return;
      // The first of a pair is not in memory yet; but a file may hold no second, and is then flushed.
      if (result === 'waiting' && source.pace === 'live') return;
      this.#newestMs = Math.max(this.#newestMs, engineMs);
      if (this.#source !== source || this.#forgotten !== forgotten) return;
      this.#problems.clear('memory');
      if (!this.get().seen) this.set({ seen: true });
    } catch (error) {
      if (source.pace === 'file') throw error;
      // A live source outlasts the engine's troubles: it is there again as soon as the engine is.
      if (this.#source === source) this.#report(error);
    }
  }

  #report(error: unknown): void {
    // The engine's own control tells of a lost device.
    if (error instanceof DeviceLostError) return;
    if (error instanceof MemoryFullError) this.#problems.show('memory', memoryFullProblem(error));
    else if (error instanceof EngineError)
      this.#problems.show('engine', engineProblem(error, this.#engine.bundled));
    else this.#problems.show('source', sourceProblem(error));
  }

  /** A new engine has an empty memory: files are watched again from the start, live sources go on. */
  #followEngine(): void {
    let known = this.#engine.get().client;
    this.#engine.subscribe(() => {
      const { client } = this.#engine.get();
      if (client === known) return;
      known = client;
      if (!client) return this.set({ seen: false });
      const { request, phase } = this.get();
      const isFile = request?.kind === 'file' || request?.kind === 'demo';
      if (isFile && (phase === 'finished' || phase === 'ended')) void this.start(request);
    });
  }

  #end(phase: 'finished' | 'ended'): void {
    this.#source = null;
    this.set({ phase, stream: null });
  }

  #halt(): void {
    const source = this.#source;
    this.#source = null;
    source?.stop();
  }
}

/** Whether a file is being opened or watched, and its end is still to come. */
export function fileUnderWay({ request, opening, phase }: WatchState): boolean {
  const isFile = (of: WatchRequest | null) => of?.kind === 'file' || of?.kind === 'demo';
  return isFile(opening) || (isFile(request) && (phase === 'waiting' || phase === 'watching'));
}

/** Whether a request goes on with the stream before it, so that memory is kept. */
function goesOn(before: WatchRequest | null, request: WatchRequest): boolean {
  return before?.kind === request.kind && (request.kind === 'camera' || request.kind === 'screen');
}
