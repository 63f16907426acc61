// What can go wrong, in words for the user, each with its ways out. One problem a topic is shown at a time;
// a topic's problem goes away when the topic works again.
import { EngineError } from '../../engine/errors';
import { SourceError, type SourceFailure } from '../../media/source';
import type { Run } from './run-marker';
import { Store } from './store';

/** What a problem is about. */
export type Topic = 'engine' | 'source' | 'memory';

/** A way out that the page can take for the user. */
export type Remedy =
  | 'reload-engine'
  | 'smaller-memory'
  | 'bundled-model'
  | 'retry-source'
  | 'choose-file'
  | 'evicting-policy'
  | 'forget';

/** A problem as shown: `notice` for an end that the user may have wanted, `error` for the rest. */
export interface Problem {
  readonly severity: 'error' | 'notice';
  readonly title: string;
  readonly detail: string;
  readonly remedies: readonly Remedy[];
}

/** The problems now shown, by topic. */
export class Problems extends Store<{ readonly [topic in Topic]?: Problem }> {
  constructor() {
    super({});
  }

  show(topic: Topic, problem: Problem): void {
    this.set({ [topic]: problem });
  }

  clear(topic: Topic): void {
    if (this.get()[topic]) this.set({ [topic]: undefined });
  }
}

/** A failure of the engine, while loading or later. `bundled` tells whether it ran the bundled model. */
export function engineProblem(error: unknown, bundled: boolean): Problem {
  const detail = messageOf(error);
  const otherModel: Remedy[] = bundled ? [] : ['bundled-model'];
  switch (error instanceof EngineError ? error.kind : '') {
    case 'UnsupportedDeviceError':
      return {
        severity: 'error',
        title: 'Ringside cannot use this device’s GPU',
        detail,
        remedies: ['reload-engine'],
      };
    case 'DownloadError':
      return {
        severity: 'error',
        title: 'The model could not be downloaded',
        detail,
        remedies: ['reload-engine', ...otherModel],
      };
    case 'FileChangedError':
      return {
        severity: 'error',
        title: 'The model changed while it was downloaded',
        detail,
        remedies: ['reload-engine', ...otherModel],
      };
    case 'StorageError':
      return {
        severity: 'error',
        title: 'The model cannot be kept on this device',
        detail,
        remedies: ['reload-engine', ...otherModel],
      };
    case 'ModelFormatError':
      return {
        severity: 'error',
        title: 'The model file cannot be used',
        detail,
        remedies: ['reload-engine', ...otherModel],
      };
    case 'OutOfMemoryError':
      return {
        severity: 'error',
        title: 'The GPU is out of memory',
        detail,
        remedies: ['smaller-memory', 'reload-engine'],
      };
    case 'DeviceLostError':
      return {
        severity: 'error',
        title: 'The GPU was lost',
        detail: `${detail} The conversation stays here; what was seen must be watched again.`,
        remedies: ['reload-engine'],
      };
    case 'GpuError':
      return {
        severity: 'error',
        title: 'The GPU reported an error',
        detail: `${detail} The conversation stays here; what was seen must be watched again.`,
        remedies: ['reload-engine'],
      };
    case 'ShaderError':
      return {
        severity: 'error',
        title: 'The GPU driver did not accept a shader',
        detail: `${detail} Update the browser or the graphics driver, or use another browser.`,
        remedies: ['reload-engine'],
      };
    default:
      return {
        severity: 'error',
        title: 'The model is not running',
        detail,
        remedies: ['reload-engine', ...otherModel],
      };
  }
}

/** A tab before this one that the browser ended. */
export function endedTabProblem({ phase, model }: Run): Problem {
  return {
    severity: 'notice',
    title: 'The browser ended Ringside',
    detail: `It closed the tab while ${model} was ${phase === 'loading' ? 'being loaded' : 'running'}, most often because the device ran short of memory. Load the model again, or with a smaller memory. What was downloaded is still here.`,
    remedies: ['smaller-memory', 'reload-engine'],
  };
}

/** A browser that lacks WebGPU altogether. */
export function noWebGpuProblem(): Problem {
  return {
    severity: 'error',
    title: 'This browser has no WebGPU',
    detail: globalThis.isSecureContext
      ? 'Ringside runs its model on your own GPU and needs WebGPU for it: use a current Chrome, Edge or Safari 26, or Firefox where WebGPU is switched on.'
      : 'Browsers offer WebGPU to secure pages only. Open Ringside over https or on localhost.',
    remedies: ['reload-engine'],
  };
}

const SOURCE_TITLES: Record<SourceFailure, string> = {
  insecure: 'This page is not secure',
  'camera-refused': 'The camera is not allowed',
  'camera-missing': 'No camera found',
  'camera-busy': 'The camera did not start',
  'camera-ended': 'The camera is gone',
  'screen-refused': 'The screen is not shared',
  'screen-unsupported': 'Screen sharing is not available',
  'screen-ended': 'Screen sharing ended',
  'file-unreadable': 'This file cannot be watched',
  'file-undecodable': 'This video cannot be decoded',
  'file-damaged': 'This video is damaged',
};

/** A source that could not be opened or broke off. */
export function sourceProblem(error: unknown): Problem {
  if (!(error instanceof SourceError)) {
    return {
      severity: 'error',
      title: 'Watching stopped',
      detail: messageOf(error),
      remedies: ['retry-source'],
    };
  }
  const { failure } = error;
  const remedies: Remedy[] = failure.startsWith('file-')
    ? ['choose-file']
    : failure === 'insecure' || failure === 'screen-unsupported'
      ? []
      : ['retry-source'];
  return {
    severity: failure === 'screen-ended' ? 'notice' : 'error',
    title: SOURCE_TITLES[failure],
    detail: error.message,
    remedies,
  };
}

/** The ring is full and its policy does not make room. */
export function memoryFullProblem(error: unknown): Problem {
  return {
    severity: 'error',
    title: 'Memory is full',
    detail: messageOf(error),
    remedies: ['evicting-policy', 'forget'],
  };
}

/** A policy or budget that the engine did not take. */
export function settingProblem(error: unknown): Problem {
  return { severity: 'error', title: 'Memory stays as it was', detail: messageOf(error), remedies: [] };
}

/** An error's message as a sentence. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim() || 'Something failed without saying why.';
}
