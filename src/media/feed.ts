// Passes a source's frames on to whoever watches: files wait for the watcher, so nothing of them is lost;
// live sources never wait, since waiting would only make the picture older.
import type { FrameSource } from './source';

/** Frames of a file on their way at once: enough to keep decoder and GPU busy, few enough to hold in memory. */
const FILE_FRAMES_IN_FLIGHT = 4;

/** Takes ownership of a frame; resolves when it has been dealt with. */
export type Watch = (frame: VideoFrame, timestampMs: number) => Promise<void>;

/**
 * Feeds all frames of a source to `watch`. Resolves when the source has ended and every frame is dealt with.
 * @throws the source's error, or the first error of `watch`, after stopping the source.
 */
export async function feed(source: FrameSource, watch: Watch): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const { frame, timestampMs } of source.frames()) {
      const watched: Promise<void> = watch(frame, timestampMs)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => inFlight.delete(watched));
      inFlight.add(watched);
      if (source.pace === 'file' && inFlight.size >= FILE_FRAMES_IN_FLIGHT) await Promise.race(inFlight);
      if (failures.length > 0) break;
    }
    await Promise.all(inFlight);
  } finally {
    source.stop();
  }
  if (failures.length > 0) throw failures[0];
}
