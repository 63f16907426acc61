// A video file as a source: demuxed and decoded here, at the sampling rate, as fast as its reader takes frames.
import {
  BlobSource,
  Input,
  type InputVideoTrack,
  MATROSKA,
  MP4,
  MPEG_TS,
  QTFF,
  type VideoSample,
  VideoSampleSink,
  WEBM,
} from 'mediabunny';
import { type FrameSource, SourceError } from './source';

/** How long a picture is watched past its own end, in seconds. */
const LONGEST_REPEAT_S = 1;

/**
 * Opens a video file and checks that this browser can decode it.
 * @param name what to call the file in messages; its own name unless given.
 * @throws SourceError naming the file, and its codec where that is what fails.
 */
export async function openVideoFile(
  file: Blob,
  framesPerSecond: number,
  name = file instanceof File ? file.name : 'Video',
): Promise<FrameSource> {
  const input = new Input({
    source: new BlobSource(file),
    formats: [MP4, QTFF, WEBM, MATROSKA, MPEG_TS],
  });
  try {
    const track = await videoTrack(input, name);
    const firstS = Math.max(0, await track.getFirstTimestamp());
    const endS = await track.computeDuration();
    return fileSource(input, track, { name, firstS, endS, framesPerSecond });
  } catch (cause) {
    input.dispose();
    if (cause instanceof SourceError) throw cause;
    throw damaged(name, 0, cause);
  }
}

async function videoTrack(input: Input, name: string): Promise<InputVideoTrack> {
  if (!(await input.canRead())) {
    throw new SourceError(
      'file-unreadable',
      `“${name}” is not a video that Ringside can open. MP4, MOV, WebM, MKV and TS files work; convert it to one of them, or choose another.`,
    );
  }
  const track = await input.getPrimaryVideoTrack();
  if (!track) {
    throw new SourceError(
      'file-unreadable',
      `“${name}” has no picture, only sound or data. Choose a file with video.`,
    );
  }
  if (!(await track.canDecode())) {
    const codec = await track.getCodec();
    const parameters = await track.getCodecParameterString().catch(() => null);
    const label = [codec?.toUpperCase() ?? 'unknown codec', parameters].filter(Boolean).join(', ');
    throw new SourceError(
      'file-undecodable',
      `This browser cannot decode “${name}” (${label}). Convert it to H.264 or VP9, or open Ringside in a browser that plays it.`,
    );
  }
  return track;
}

interface Span {
  readonly name: string;
  readonly firstS: number;
  readonly endS: number;
  readonly framesPerSecond: number;
}

function fileSource(
  input: Input,
  track: InputVideoTrack,
  { name, firstS, endS, framesPerSecond }: Span,
): FrameSource {
  let stopped = false;
  return {
    name,
    pace: 'file',
    stream: null,
    durationMs: (endS - firstS) * 1000,
    async *frames() {
      let positionS = firstS;
      let pictureEndS = firstS;
      try {
        const wanted = sampleTimes(firstS, endS, framesPerSecond);
        for await (const sample of new VideoSampleSink(track).samplesAtTimestamps(wanted)) {
          if (stopped) {
            sample?.close();
            return;
          }
          if (sample) pictureEndS = sample.timestamp + sample.duration;
          // Past its own end a picture is repeated: in a still that says nothing new, in a file cut short for ever.
          if (sample && positionS <= pictureEndS + LONGEST_REPEAT_S) {
            yield { frame: await uprightFrame(sample), timestampMs: (positionS - firstS) * 1000 };
          } else {
            sample?.close();
          }
          positionS += 1 / framesPerSecond;
        }
        if (endS - pictureEndS > LONGEST_REPEAT_S) {
          positionS = pictureEndS;
          throw new Error('the rest of it is missing');
        }
      } catch (cause) {
        if (!stopped) throw damaged(name, positionS - firstS, cause);
      } finally {
        input.dispose();
      }
    },
    stop() {
      stopped = true;
      input.dispose();
    },
  };
}

function* sampleTimes(firstS: number, endS: number, framesPerSecond: number): Generator<number> {
  for (let i = 0; firstS + i / framesPerSecond < endS; i++) yield firstS + i / framesPerSecond;
}

/** The sample as a frame, turned as it is meant to be seen: phones store video sideways and note the angle. */
async function uprightFrame(sample: VideoSample): Promise<VideoFrame> {
  try {
    if (sample.rotation === 0 && !sample.flip) return sample.toVideoFrame();
    const upright = await sample.transform({});
    try {
      return upright.toVideoFrame();
    } finally {
      upright.close();
    }
  } finally {
    sample.close();
  }
}

function damaged(name: string, positionS: number, cause: unknown): SourceError {
  const reason = cause instanceof Error && cause.message ? ` (${cause.message.replace(/\.$/, '')})` : '';
  const place = positionS > 0 ? ` ${positionS.toFixed(1)} seconds in` : '';
  return new SourceError(
    'file-damaged',
    `“${name}” cannot be read${place}${reason}; it is damaged or incomplete. What was seen so far is kept. Choose another file or copy this one again.`,
    { cause },
  );
}
