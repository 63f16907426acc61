// Loads the model, keeps its worker, and carries policy and budget over to a new worker when the old one is lost.
import { EngineClient } from '../../../workers/engine-client';
import { isKept, keptFile } from '../../../workers/kept-files';
import type { LoadStatus } from '../../../workers/protocol';
import type { PolicyName } from '../../engine/contract';
import { BUDGET_FRAMES, DEFAULT_BUDGET_FRAMES, tokensOfFrames } from './budgets';
import { type ModelCard, type ModelFolder, modelFolder, readModelCard } from './model-card';
import { endedTabProblem, engineProblem, noWebGpuProblem, type Problems, settingProblem } from './problems';
import { RunMarker } from './run-marker';
import { Store } from './store';

/** Where the engine stands. `client` is there exactly while it is ready. */
export interface EngineState {
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly stage: LoadStatus['stage'];
  /** Progress of the load, 0 to 1. */
  readonly fraction: number;
  readonly card: ModelCard | null;
  readonly client: EngineClient | null;
  /** Whether the model's files are on this device, for a visit without a network. */
  readonly kept: boolean;
  readonly policy: PolicyName;
  readonly budgetFrames: number;
  /** Frames that memory is allocated for: the largest budget to choose from. */
  readonly capacityFrames: number;
}

/** The engine as the page handles it. */
export class EngineControl extends Store<EngineState> {
  readonly #problems: Problems;
  readonly #marker = new RunMarker();
  #folder: ModelFolder | null = null;
  /** The worker of the load now running or done, ready or not. */
  #client: EngineClient | null = null;
  #demoClip: Promise<Blob> | null = null;
  #loads = 0;

  constructor(problems: Problems) {
    super({
      phase: 'loading',
      stage: 'download',
      fraction: 0,
      card: null,
      client: null,
      kept: false,
      policy: 'infinipot-v',
      budgetFrames: DEFAULT_BUDGET_FRAMES,
      capacityFrames: BUDGET_FRAMES.at(-1)!,
    });
    this.#problems = problems;
  }

  /** Loads the model; where an earlier tab was ended with it, asks first, or the same might happen again. */
  async start(): Promise<void> {
    const left = await this.#marker.takeLeft();
    if (!left) return this.load();
    this.set({ phase: 'failed', capacityFrames: left.capacityFrames });
    this.#problems.show('engine', endedTabProblem(left));
  }

  /** Loads the model into a fresh worker; failures become the `engine` problem. */
  async load(): Promise<void> {
    const load = ++this.#loads;
    this.#client?.dispose();
    this.#problems.clear('engine');
    this.set({ phase: 'loading', stage: 'download', fraction: 0, client: null });
    try {
      this.#folder = modelFolder(location.href, document.baseURI);
      const card = this.get().card ?? (await readModelCard(this.#folder));
      this.set({ card });
      this.#demoClip ??= fetchDemoClip(card);
      // Told when somebody asks for the demo, not before.
      this.#demoClip.catch(() => {});
      if (!navigator.gpu) {
        this.set({ phase: 'failed' });
        this.#problems.show('engine', noWebGpuProblem());
        return;
      }
      const client = new EngineClient({
        onStatus: ({ stage, fraction }) =>
          this.set({ stage, fraction: Math.max(fraction, this.get().fraction) }),
        onLost: (error) => this.#fail(error),
      });
      this.#client = client;
      const { policy, budgetFrames, capacityFrames } = this.get();
      const run = { model: card.name, capacityFrames };
      this.#marker.set({ ...run, phase: 'loading' });
      const fileUrl = (name: string) => new URL(name, this.#folder!.url).href;
      const end = await client.load({
        source: { kind: 'urls', model: fileUrl('model.gguf'), mmproj: fileUrl('mmproj.gguf') },
        frame: { width: card.frameWidth, height: card.frameHeight },
        policy,
        budgetTokens: tokensOfFrames(budgetFrames, card),
        capacityTokens: tokensOfFrames(capacityFrames, card),
        trainedPositions: card.trainedPositions,
      });
      // With the clip at hand, nothing is requested from the network once the page is ready.
      await this.#demoClip.catch(() => null);
      const kept = end.kept && (await isKept(fileUrl('card.json')));
      if (load !== this.#loads) return;
      this.#marker.set({ ...run, phase: 'running' });
      this.set({ phase: 'ready', stage: 'ready', fraction: 1, client, kept });
      // Chosen while loading.
      if (this.get().policy !== policy || this.get().budgetFrames !== budgetFrames) this.#configure();
    } catch (error) {
      if (load === this.#loads) this.#fail(error);
    }
  }

  /** Loads again with the next smaller memory, for GPUs that have no room for this one. */
  async loadSmaller(): Promise<void> {
    const capacityFrames = this.smallerCapacity;
    if (capacityFrames === null) return;
    this.set({ capacityFrames, budgetFrames: Math.min(this.get().budgetFrames, capacityFrames) });
    await this.load();
  }

  /** The next smaller memory in frames, or null at the smallest. */
  get smallerCapacity(): number | null {
    return BUDGET_FRAMES.findLast((frames) => frames < this.get().capacityFrames) ?? null;
  }

  /** Whether the page runs the model that comes with it. */
  get bundled(): boolean {
    return this.#folder?.bundled ?? false;
  }

  /** Changes policy or budget, now or for the load under way. */
  configure(change: { policy?: PolicyName; budgetFrames?: number }): void {
    this.set(change);
    this.#problems.clear('memory');
    this.#configure();
  }

  /** The demo clip; fetched again if that failed during the load. @throws Error when it cannot be had. */
  async demoClip(): Promise<Blob> {
    const card = this.get().card;
    if (!card) throw new Error('The demo is not there yet: the model’s card has not loaded.');
    this.#demoClip ??= fetchDemoClip(card);
    try {
      return await this.#demoClip;
    } catch (error) {
      this.#demoClip = null;
      throw error;
    }
  }

  /** The engine's worker as soon as there is one. */
  async ready(): Promise<EngineClient> {
    for (;;) {
      const { client } = this.get();
      if (client) return client;
      await new Promise<void>((resolve) => {
        const unsubscribe = this.subscribe(() => {
          if (!this.get().client) return;
          unsubscribe();
          resolve();
        });
      });
    }
  }

  #configure(): void {
    const { client, card, policy, budgetFrames } = this.get();
    if (!client || !card) return;
    client
      .configure({ policy, budget: { tokens: tokensOfFrames(budgetFrames, card) } })
      .catch((error: unknown) => {
        if (this.get().client === client) this.#problems.show('memory', settingProblem(error));
      });
  }

  #fail(error: unknown): void {
    this.#client?.dispose();
    this.#client = null;
    this.#marker.set(null);
    this.set({ phase: 'failed', client: null });
    this.#problems.show('engine', engineProblem(error, this.bundled));
  }
}

async function fetchDemoClip(card: ModelCard): Promise<Blob> {
  if (!card.demoClip) throw new Error('This model comes without a demo clip. Choose another source.');
  return keptFile(new URL(card.demoClip, document.baseURI).href);
}
