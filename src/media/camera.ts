// The camera as a source, front or back.
import { liveSource, mediaDevices } from './live-source';
import { type FrameSource, SourceError } from './source';

/** Which way a camera looks: at the user, or away from them. */
export type Facing = 'front' | 'back';

/**
 * Opens a camera; the browser asks the user for permission.
 * @throws SourceError when it is refused, missing or in use.
 */
export async function openCamera(facing: Facing, framesPerSecond: number): Promise<FrameSource> {
  const devices = mediaDevices();
  let stream: MediaStream;
  try {
    stream = await devices.getUserMedia({
      audio: false,
      // The model sees far fewer pixels than this; more would only cost battery.
      video: {
        facingMode: { ideal: facing === 'front' ? 'user' : 'environment' },
        width: { ideal: 640 },
        height: { ideal: 480 },
      },
    });
  } catch (cause) {
    throw cameraError(cause);
  }
  return liveSource(stream, {
    name: 'Camera',
    framesPerSecond,
    repeatStill: false,
    endedError: () =>
      new SourceError(
        'camera-ended',
        'The camera was unplugged or taken away. What was seen so far is still in memory. Connect it and start it again.',
      ),
  });
}

function cameraError(cause: unknown): SourceError {
  const name = cause instanceof DOMException ? cause.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return new SourceError(
      'camera-refused',
      'Ringside may not use the camera. Allow it in the browser’s site settings (the icon beside the address), then try again. The picture never leaves this device.',
      { cause },
    );
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return new SourceError(
      'camera-missing',
      'No camera was found. Connect one and try again, or watch a video file or the demo.',
      { cause },
    );
  }
  return new SourceError(
    'camera-busy',
    `The camera did not start${cause instanceof Error ? ` (${cause.message})` : ''}. Close other programs that use it and try again.`,
    { cause },
  );
}
