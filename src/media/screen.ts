// A shared screen, window or tab as a source.
import { liveSource, mediaDevices } from './live-source';
import { type FrameSource, SourceError } from './source';

/**
 * Lets the user choose what to share. Must be called straight from a click.
 * @throws SourceError when they cancel, or the browser cannot share.
 */
export async function openScreen(framesPerSecond: number): Promise<FrameSource> {
  const devices = mediaDevices();
  if (!('getDisplayMedia' in devices)) {
    throw new SourceError(
      'screen-unsupported',
      'This browser cannot share a screen. Use a desktop browser for that, or watch the camera or a video file here.',
    );
  }
  let stream: MediaStream;
  try {
    stream = await devices.getDisplayMedia({ audio: false, video: { frameRate: { ideal: 10 } } });
  } catch (cause) {
    throw new SourceError(
      'screen-refused',
      'No screen was shared. Choose a screen, window or tab in the browser’s dialogue; if it did not open, allow screen recording for the browser in the system settings.',
      { cause },
    );
  }
  return liveSource(stream, {
    name: 'Screen',
    framesPerSecond,
    repeatStill: true,
    endedError: () =>
      new SourceError(
        'screen-ended',
        'Screen sharing ended. What was seen so far is still in memory, so you can go on asking, or share again.',
      ),
  });
}
