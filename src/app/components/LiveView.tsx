// What is being watched: the stream of a live source, or the frame of a file that memory just took in, cut to
// the part that the model sees.
import { type CSSProperties, useEffect, useRef } from 'react';
import type { Facing } from '../../media/camera';
import { formatTime } from '../format';
import { useAssistant } from '../state/assistant';
import { useStore } from '../state/store';
import type { WatchRequest, WatchState } from '../state/watch-control';
import { RingsideMark } from './icons';
import { MomentBar, MomentView } from './MomentView';

const FACINGS: readonly { readonly facing: Facing; readonly label: string }[] = [
  { facing: 'front', label: 'Front' },
  { facing: 'back', label: 'Back' },
];

export function LiveView() {
  const { engine, lens, watching } = useAssistant();
  const { card } = useStore(engine);
  const { chosen } = useStore(lens);
  const state = useStore(watching);
  const { request, opening, phase, name, stream } = state;
  const isFile = request?.kind === 'file' || request?.kind === 'demo';
  const showsPicture = stream !== null || (isFile && phase !== 'waiting');
  // The model sees the centre of the picture in its own shape, and so does the user.
  const frameAspect = { '--frame-aspect': card ? card.frameWidth / card.frameHeight : 1 } as CSSProperties;
  const running = phase === 'watching' || phase === 'waiting';

  return (
    <div className="stage" style={frameAspect}>
      <div className="stage-view">
        {stream && <StreamVideo stream={stream} />}
        <canvas
          ref={watching.picture.showOn}
          className="stage-picture"
          hidden={!isFile || !showsPicture}
          role="img"
          aria-label={`Newest frame watched of ${name}`}
        />
        {!showsPicture && <EmptyStage text={emptyText(state)} />}
        {chosen && <MomentView moment={chosen} />}
      </div>
      {chosen && <MomentBar moment={chosen} />}
      {request && !chosen && (
        <div className="stage-bar">
          <p className="stage-status">
            <span className={`lamp lamp-${phase}`} aria-hidden="true" />
            <strong>{name}</strong>
            <span>{progressText(state)}</span>
          </p>
          {request.kind === 'camera' && running && <FacingChoice current={request.facing} />}
          {running && (
            <button type="button" className="button button-quiet" onClick={() => watching.stop()}>
              End
              <span className="visually-hidden"> watching {name}</span>
            </button>
          )}
          {isFile && state.durationMs !== null && (
            <progress
              className="stage-progress"
              max={state.durationMs}
              value={phase === 'finished' ? state.durationMs : state.positionMs}
              aria-label={`Watched of ${name}`}
            />
          )}
        </div>
      )}
      <p className="visually-hidden" role="status">
        {opening ? openingText(opening) : request ? `${name}: ${phaseText(state)}` : ''}
      </p>
    </div>
  );
}

function StreamVideo({ stream }: { stream: MediaStream }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
  }, [stream]);
  return (
    <video
      ref={video}
      className="stage-picture"
      autoPlay
      muted
      playsInline
      aria-label="Live view of what is watched"
    />
  );
}

/** Which way the camera looks. Asking for one that is not there gives the one that is. */
function FacingChoice({ current }: { current: Facing }) {
  const { watching } = useAssistant();
  return (
    <fieldset className="facing">
      <legend className="visually-hidden">Which camera</legend>
      {FACINGS.map(({ facing, label }) => (
        <label key={facing} className="facing-option">
          <input
            type="radio"
            name="facing"
            checked={facing === current}
            onChange={() => void watching.start({ kind: 'camera', facing })}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

function EmptyStage({ text }: { text: string }) {
  return (
    <div className="stage-empty">
      <RingsideMark />
      <p>{text}</p>
    </div>
  );
}

function emptyText({ opening, phase, name }: WatchState): string {
  if (opening) return openingText(opening);
  if (phase === 'waiting') return `“${name}” is open and starts as soon as the model is ready.`;
  if (phase === 'ended') return `${name} has ended. What was seen is still in memory.`;
  return 'Take your seat. Choose what to watch, or drop a video here.';
}

function openingText(request: WatchRequest): string {
  switch (request.kind) {
    case 'camera':
      return 'Starting the camera. The browser may ask for permission.';
    case 'screen':
      return 'Choose what to share in the browser’s dialogue.';
    case 'file':
      return `Opening “${request.file.name}”.`;
    case 'demo':
      return 'Opening the demo clip.';
  }
}

function progressText(state: WatchState): string {
  const position = formatTime(state.positionMs);
  if (state.durationMs === null) {
    return state.phase === 'watching' ? `live · ${position}` : `ended at ${position}`;
  }
  const duration = formatTime(state.durationMs);
  if (state.phase === 'finished') return `seen to the end · ${duration}`;
  return state.phase === 'ended' ? `seen ${position} of ${duration}` : `${position} of ${duration}`;
}

function phaseText({ phase }: WatchState): string {
  switch (phase) {
    case 'waiting':
      return 'waiting for the model';
    case 'watching':
      return 'watching';
    case 'finished':
      return 'seen to the end';
    default:
      return 'ended';
  }
}
