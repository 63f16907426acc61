// The chosen moment on the stage, in place of the present: larger, with its time and how much of it is remembered.
import { useEffect, useRef } from 'react';
import { formatCount, formatShare, formatTime } from '../format';
import { useAssistant } from '../state/assistant';
import { type LensState, rememberedShare, type SeenMoment } from '../state/lens-control';
import { useStore } from '../state/store';
import { MomentPicture } from './MomentPicture';

/** Pixels of the screen. */
const LARGE_PIXELS = 896;

/** Over the picture of what is watched now. */
export function MomentView({ moment }: { moment: SeenMoment }) {
  const { lens } = useAssistant();
  const { rows, columns, heads } = useStore(lens);
  const view = useRef<HTMLDivElement>(null);
  // On a phone the stage may have been scrolled away.
  useEffect(() => {
    view.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  return (
    <div
      ref={view}
      className="moment"
      role="img"
      aria-label={`What was seen at ${formatTime(moment.timestampMs)}`}
    >
      <MomentPicture moment={moment} pixels={LARGE_PIXELS} rows={rows} columns={columns} heads={heads} />
    </div>
  );
}

/** Below the picture. */
export function MomentBar({ moment }: { moment: SeenMoment }) {
  const { lens } = useAssistant();
  const state = useStore(lens);
  return (
    <div className="stage-bar moment-bar">
      <div className="moment-words">
        <p>
          <strong>{formatTime(moment.timestampMs)}</strong>{' '}
          {formatShare(rememberedShare(moment, state.heads))}
          <span>{betweenText(moment, state)}</span>
        </p>
        <p className="heat-legend">
          forgotten
          <span className="heat-scale" aria-hidden="true" />
          kept by all {formatCount(state.heads)} heads
        </p>
      </div>
      <button type="button" className="button button-quiet" onClick={() => lens.choose(null)}>
        Back<span className="visually-hidden"> to the present</span>
      </button>
    </div>
  );
}

/** What memory holds of the time up to the next moment. */
function betweenText({ frame, heldBetween }: SeenMoment, { moments, heads }: LensState): string {
  if (heldBetween === 0) return '';
  const next = moments.find((moment) => moment.frame > frame);
  const patches = Math.round(heldBetween / heads);
  const kept =
    patches < 1 ? 'less than a patch' : patches === 1 ? '1 patch' : `${formatCount(patches)} patches`;
  return ` · ${kept} more${next ? ` until ${formatTime(next.timestampMs)}` : ''}`;
}
