// What a session is opened with, and what of it is the model's to know.

import type { Budget, LoadProgress, PolicyName, PositionPolicy, TarKeys } from './contract';
import type { EngineError } from './errors';
import type { ByteSource } from './gguf/byte-source';
import type { ModelOptions } from './model';

export interface SessionOptions {
  /** WebGPU's entry point; the browser's own if left out. */
  readonly gpu?: GPU;
  readonly model: ByteSource;
  readonly mmproj: ByteSource;
  /** Size the encoder sees, in whole visual tokens: of 28, 32 or more pixels a side, as the family has it. */
  readonly frame: { readonly width: number; readonly height: number };
  readonly memory?: {
    readonly policy?: PolicyName;
    /** Whether value norms are pooled over neighbouring patches; false if left out. */
    readonly pooling?: boolean;
    /** `cached` if left out. */
    readonly tarKeys?: TarKeys;
    /** Of the policy `random`; 0 if left out. */
    readonly seed?: number;
    readonly budget?: Budget;
    readonly positions?: PositionPolicy;
    /** Most visual tokens any later budget may allow; the ring is allocated for so many. */
    readonly capacityTokens?: number;
    /** Room for text, pinned and dialogue. */
    readonly textTokens?: number;
  };
  /** Rotary positions the model was trained on; the context length its file states if left out, and at most that. */
  readonly trainedPositions?: number;
  /** Largest frame given as RGB bytes, in pixels. */
  readonly maxRgbPixels?: number;
  readonly precision?: 'f32' | 'f16';
  readonly onProgress?: (progress: LoadProgress) => void;
  /** The GPU failed while running (see `Gpu.failure`): nothing in this session can be used any more. */
  readonly onFailed?: (error: EngineError) => void;
}

const DEFAULT_CAPACITY_TOKENS = 1024;
const DEFAULT_TEXT_TOKENS = 1024;

/** Of the model, its ring and its buffers. */
export function modelOptions({ memory = {}, ...options }: SessionOptions): ModelOptions {
  return {
    ...options,
    visualTokens: memory.capacityTokens ?? DEFAULT_CAPACITY_TOKENS,
    textTokens: memory.textTokens ?? DEFAULT_TEXT_TOKENS,
    maxRgbPixels: options.maxRgbPixels ?? 0,
  };
}
