// What page and worker say to each other. Everything here survives structured cloning.
import type { MemoryReport, PolicyName } from '../src/engine/contract';

/** What to load, and how much memory to give it. */
export interface LoadRequest {
  /** Absolute addresses of the decoder's and the vision encoder's GGUF files. */
  readonly modelUrl: string;
  readonly mmprojUrl: string;
  /** Size to which every frame is brought before the model sees it. */
  readonly frame: { readonly width: number; readonly height: number };
  readonly policy: PolicyName;
  readonly budgetTokens: number;
  /** Visual tokens to allocate room for: the most that `configure` can ask for later. */
  readonly capacityTokens: number;
  /** Rotary positions the model was trained on, where its card says so. */
  readonly trainedPositions?: number;
}

/** Progress of a load: downloading first, then the engine's own stages. `fraction` spans both. */
export interface LoadStatus {
  readonly stage: 'download' | 'files' | 'weights' | 'shaders' | 'ready';
  readonly fraction: number;
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
