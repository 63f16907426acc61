// What every source of video looks like to the rest of the page: timed frames, a name, a preview, an end.
// A source never decides what happens to a frame; whoever receives one closes it or passes it on.

/** One sampled frame. The receiver owns it and must close it or transfer it. */
export interface TimedFrame {
  readonly frame: VideoFrame;
  /** Milliseconds since the source's first frame. */
  readonly timestampMs: number;
}

/** A stream of frames at the sampling rate, from a camera, a screen or a file. */
export interface FrameSource {
  readonly name: string;
  /** `live` sources run by the clock and lose what is not taken; `file` sources wait for the reader. */
  readonly pace: 'live' | 'file';
  /** What a `<video>` shows of a live source. */
  readonly stream: MediaStream | null;
  /** Length of a file. */
  readonly durationMs: number | null;
  /**
   * The frames, once. Ends after `stop()` or at the end of a file.
   * @throws SourceError when the source breaks off by itself.
   */
  frames(): AsyncGenerator<TimedFrame, void, undefined>;
  /** Ends the source and releases its device or file. */
  stop(): void;
}

/** Why a source could not be opened, or ended by itself. */
export type SourceFailure =
  | 'insecure'
  | 'camera-refused'
  | 'camera-missing'
  | 'camera-busy'
  | 'camera-ended'
  | 'screen-refused'
  | 'screen-unsupported'
  | 'screen-ended'
  | 'file-unreadable'
  | 'file-undecodable'
  | 'file-damaged';

/** A failure of a source; the message names the cause and the way out and can be shown as it stands. */
export class SourceError extends Error {
  readonly failure: SourceFailure;
  constructor(failure: SourceFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SourceError';
    this.failure = failure;
  }
}
