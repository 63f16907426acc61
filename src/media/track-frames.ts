// Sampled frames of a live track. Frames between two samples are closed at once, since a camera has only a
// handful of buffers and stalls when they are held.
/// <reference types="dom-mediacapture-transform" />
import { SampleClock } from './sample-clock';
import type { TimedFrame } from './source';

/** Reads a track frame by frame; `null` once the track has ended or the reader was cancelled. */
interface FrameReader {
  read(): Promise<VideoFrame | null>;
  cancel(): void;
}

/** How a live track is sampled. */
export interface TrackSampling {
  readonly framesPerSecond: number;
  /** Whether a picture that does not change is sampled again; a shared screen sends no frames while still. */
  readonly repeatStill: boolean;
  readonly signal: AbortSignal;
}

/** The frames of a live track at the sampling rate, until it ends or the signal aborts. */
export async function* trackFrames(
  track: MediaStreamTrack,
  { framesPerSecond, repeatStill, signal }: TrackSampling,
): AsyncGenerator<TimedFrame, void, undefined> {
  const reader = 'MediaStreamTrackProcessor' in globalThis ? processorReader(track) : videoReader(track);
  const clock = new SampleClock(framesPerSecond);
  const cancel = () => reader.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const started = performance.now();
  let still: VideoFrame | null = null;
  let next = reader.read();
  try {
    while (!signal.aborted) {
      const read: VideoFrame | 'late' | null =
        repeatStill && still ? await withinMs(next, 1000 / framesPerSecond) : await next;
      if (read === null) return;
      // The page's clock rather than the frame's: capture clocks of different devices start anywhere.
      const timestampMs = performance.now() - started;
      if (read !== 'late') {
        next = reader.read();
        if (!clock.takes(timestampMs)) {
          if (!repeatStill) {
            read.close();
            continue;
          }
          still?.close();
          still = read;
          continue;
        }
        still?.close();
        still = repeatStill ? read.clone() : null;
        yield { frame: read, timestampMs };
      } else if (still && clock.takes(timestampMs)) {
        yield { frame: still.clone(), timestampMs };
      }
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    still?.close();
    reader.cancel();
    // The read under way may still deliver a frame that nobody would close.
    void next.then((frame) => frame?.close()).catch(() => {});
  }
}

/** The promise's value, or `late` when it takes longer than this. */
async function withinMs<T>(promise: Promise<T>, milliseconds: number): Promise<T | 'late'> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, milliseconds, 'late');
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function processorReader(track: MediaStreamTrack): FrameReader {
  const processor = new MediaStreamTrackProcessor({ track: track as MediaStreamVideoTrack });
  const reader = processor.readable.getReader();
  return {
    async read() {
      const { value, done } = await reader.read();
      return done ? null : value;
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

/** For browsers without MediaStreamTrackProcessor on the page: a hidden video element presents the frames. */
function videoReader(track: MediaStreamTrack): FrameReader {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  const playing = video.play();
  let over = false;
  let waiting: ((frame: null) => void) | null = null;
  const finish = () => {
    over = true;
    waiting?.(null);
    waiting = null;
  };
  track.addEventListener('ended', finish, { once: true });
  return {
    async read() {
      try {
        await playing;
      } catch (cause) {
        if (over) return null;
        throw cause;
      }
      if (over) return null;
      return new Promise((resolve) => {
        waiting = resolve;
        video.requestVideoFrameCallback((now) => {
          if (over) return;
          waiting = null;
          resolve(new VideoFrame(video, { timestamp: now * 1000 }));
        });
      });
    },
    cancel() {
      track.removeEventListener('ended', finish);
      finish();
      video.srcObject = null;
    },
  };
}
