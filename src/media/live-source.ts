// A source over a live track, shared by camera and screen: samples it, and tells an end by the user from one
// that came by itself.
import { type FrameSource, SourceError } from './source';
import { trackFrames } from './track-frames';

/** What sets one kind of live source apart from another. */
export interface LiveSourceOptions {
  readonly name: string;
  readonly framesPerSecond: number;
  readonly repeatStill: boolean;
  /** The error of a track that ends although nobody called `stop()`. */
  readonly endedError: () => SourceError;
}

/** Makes a source of the stream's first video track; the source owns the stream from then on. */
export function liveSource(stream: MediaStream, options: LiveSourceOptions): FrameSource {
  const track = stream.getVideoTracks()[0];
  if (!track) throw options.endedError();
  const stopping = new AbortController();
  return {
    name: options.name,
    pace: 'live',
    stream,
    durationMs: null,
    async *frames() {
      yield* trackFrames(track, { ...options, signal: stopping.signal });
      if (!stopping.signal.aborted) throw options.endedError();
    },
    stop() {
      stopping.abort();
      for (const each of stream.getTracks()) each.stop();
    },
  };
}

/** The page's media devices. @throws SourceError where the browser hides them from insecure pages. */
export function mediaDevices(): MediaDevices {
  if (!navigator.mediaDevices) {
    throw new SourceError(
      'insecure',
      'The browser only gives cameras and screens to secure pages. Open Ringside over https or on localhost.',
    );
  }
  return navigator.mediaDevices;
}
