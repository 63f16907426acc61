// What was seen, moment by moment, lit where it is still remembered. Choosing a moment shows it on the stage.
import { type KeyboardEvent, memo, type RefObject, useEffect, useId, useLayoutEffect, useRef } from 'react';
import { formatShare, formatTime } from '../format';
import { useAssistant } from '../state/assistant';
import { type LensState, rememberedShare, type SeenMoment } from '../state/lens-control';
import { useStore } from '../state/store';
import { MomentPicture } from './MomentPicture';

/** Pixels of the screen: a thumbnail of 72 CSS pixels on a dense one. */
const THUMBNAIL_PIXELS = 144;

/** Pixels from the newest moment within which the strip follows it. */
const FOLLOWING_PX = 24;

export function MemoryLens() {
  const { lens } = useAssistant();
  const state = useStore(lens);
  const { moments, chosen } = state;
  const strip = useRef<HTMLDivElement>(null);
  const id = useId();
  const active = chosen ?? moments.at(-1);
  useFollowNewest(strip, moments, chosen);
  useFocusBack(strip, chosen);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const to = keyTarget(event.key, state);
    if (to === undefined) return;
    event.preventDefault();
    lens.choose(to);
  };

  return (
    <div
      ref={strip}
      className="lens"
      role="listbox"
      tabIndex={0}
      aria-label="What was seen"
      aria-orientation="horizontal"
      aria-activedescendant={active && `${id}-${active.frame}`}
      onKeyDown={onKeyDown}
    >
      {moments.map((moment) => (
        <MomentOption
          key={moment.frame}
          id={`${id}-${moment.frame}`}
          moment={moment}
          active={moment === active}
          chosen={moment === chosen}
          choose={lens.choose}
          {...gridOf(state)}
        />
      ))}
    </div>
  );
}

interface MomentOptionProps extends Pick<LensState, 'rows' | 'columns' | 'heads'> {
  readonly id: string;
  readonly moment: SeenMoment;
  readonly active: boolean;
  readonly chosen: boolean;
  readonly choose: (moment: SeenMoment | null) => void;
}

/** Drawn again only when something about it has changed: there are dozens, and most of them never do. */
const MomentOption = memo(function MomentOption(props: MomentOptionProps) {
  const { id, moment, active, chosen, choose, ...grid } = props;
  const time = formatTime(moment.timestampMs);
  const share = rememberedShare(moment, grid.heads);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the focus and takes the keys
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-label={`${time}, ${formatShare(share)}`}
      className={active ? 'lens-moment lens-active' : 'lens-moment'}
      onClick={(event) => {
        choose(chosen ? null : moment);
        // Or the focus would go with this moment, once it is not told apart any more.
        event.currentTarget.parentElement?.focus({ preventScroll: true });
      }}
    >
      <MomentPicture moment={moment} pixels={THUMBNAIL_PIXELS} {...grid} />
      <span className="lens-time">{time}</span>
    </div>
  );
});

function gridOf({ rows, columns, heads }: LensState) {
  return { rows, columns, heads };
}

/** Where a key leads: a moment, null for the present, undefined for nowhere. */
function keyTarget(key: string, { moments, chosen }: LensState): SeenMoment | null | undefined {
  const at = chosen ? moments.indexOf(chosen) : moments.length;
  switch (key) {
    case 'ArrowLeft':
      return moments[Math.max(0, at - 1)];
    case 'ArrowRight':
      return moments[Math.min(moments.length - 1, at + 1)];
    case 'Home':
      return moments[0];
    case 'End':
      return moments.at(-1);
    case 'Enter':
    case ' ':
      return chosen ? null : moments.at(-1);
    case 'Escape':
      return chosen ? null : undefined;
  }
}

/** Takes the focus back from the button that leads back to the present, and goes with the moment. */
function useFocusBack(strip: RefObject<HTMLDivElement | null>, chosen: SeenMoment | null): void {
  const before = useRef(chosen);
  useEffect(() => {
    const left = before.current && !chosen;
    before.current = chosen;
    if (left && document.activeElement === document.body) strip.current?.focus({ preventScroll: true });
  }, [strip, chosen]);
}

/** Keeps the chosen moment in sight; without one the newest, unless the reader has scrolled back. */
function useFollowNewest(
  strip: RefObject<HTMLDivElement | null>,
  moments: readonly SeenMoment[],
  chosen: SeenMoment | null,
): void {
  const following = useRef(true);
  useEffect(() => {
    const element = strip.current;
    const note = () => {
      if (!element) return;
      const { scrollWidth, scrollLeft, clientWidth } = element;
      following.current = scrollWidth - scrollLeft - clientWidth < FOLLOWING_PX;
    };
    element?.addEventListener('scroll', note, { passive: true });
    return () => element?.removeEventListener('scroll', note);
  }, [strip]);
  useLayoutEffect(() => {
    if (!chosen && following.current && strip.current) strip.current.scrollLeft = strip.current.scrollWidth;
  }, [strip, moments, chosen]);
  const frame = chosen?.frame;
  useLayoutEffect(() => {
    if (frame === undefined || !strip.current) return;
    const option = strip.current.querySelector<HTMLElement>('[aria-selected="true"]');
    if (!option) return;
    // By hand: scrollIntoView would move the page as well.
    const { scrollLeft, clientWidth } = strip.current;
    const [left, right] = [
      option.offsetLeft - option.offsetWidth,
      option.offsetLeft + 2 * option.offsetWidth,
    ];
    if (left < scrollLeft) strip.current.scrollLeft = left;
    else if (right > scrollLeft + clientWidth) strip.current.scrollLeft = right - clientWidth;
  }, [strip, frame]);
}
