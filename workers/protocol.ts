// What page and worker say to each other. Everything here survives structured cloning.
import type { MemoryReport, PolicyName } from '../src/engine/contract';
import type { ModelAddress } from '../src/engine/store/model-address';

/** Where a model is: at addresses, on the hub, or in two files that the user opened, which are not copied. */
export type ModelSource =
  | ModelAddress
  | { readonly kind: 'files'; readonly model: File; readonly mmproj: File };

/** What to load, and how much memory to give it. */
export interface LoadRequest {
  readonly source: ModelSource;
  /** Size to which every frame is brought before the model sees it. */
  readonly frame: { readonly width: number; readonly height: number };
  readonly policy: PolicyName;
  readonly budgetTokens: number;
  /** Visual tokens to allocate room for: the most that `configure` can ask for later. */
  readonly capacityTokens: number;
  /** Rotary positions the model was trained on, where its card says so. */
  readonly trainedPositions?: number;
}

/** How far a download is. What was here before it began counts as here. */
export interface DownloadStatus {
  readonly bytesHere: number;
  readonly bytesTotal: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  /** Null while nothing moves. */
  readonly secondsLeft: number | null;
}

/** Progress of a load: `download` until all is here, meanwhile the engine's own stages. `fraction` spans both. */
export interface LoadStatus {
  readonly stage: 'download' | 'files' | 'weights' | 'shaders' | 'ready';
  readonly fraction: number;
  /** Null before the sizes are known, and for files that are not downloaded. */
  readonly download: DownloadStatus | null;
}

/** What a load would take. */
export interface LoadPlan {
  /** Of the model's files: on this device already, and in all. */
  readonly bytesHere: number;
  readonly bytesTotal: number;
  readonly gpuBytes: number;
  /** The same by purpose: weights, kv-cache, activations, … */
  readonly gpuBytesByPurpose: Readonly<Record<string, number>>;
}

/** What a load came to. */
export interface LoadEnd {
  /** Whether all of the model is on this device, for a visit without a network. */
  readonly kept: boolean;
}

/** How an answer ended. */
export interface AnswerEnd {
  readonly text: string;
  /** Whether it was stopped before the model had finished. */
  readonly stopped: boolean;
  readonly firstTextMs: number | null;
  readonly totalMs: number;
}

/** The engine's report and how many frames a second it took in over the last seconds. */
export interface MemoryView {
  readonly report: MemoryReport;
  readonly framesPerSecond: number;
}
