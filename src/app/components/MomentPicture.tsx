// A moment's picture with what is still remembered of it in full light. What is forgotten meanwhile fades.
import { useEffect, useRef } from 'react';
import { paintHeat } from '../heat';
import type { SeenMoment } from '../state/lens-control';

const FADE_MS = 700;

interface MomentPictureProps {
  readonly moment: SeenMoment;
  readonly rows: number;
  readonly columns: number;
  readonly heads: number;
  /** Longest side in pixels of the screen. */
  readonly pixels: number;
}

/** Decoration beside words that tell the same. */
export function MomentPicture({ moment, rows, columns, heads, pixels }: MomentPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<{ frame: number; shares: readonly number[] } | null>(null);
  const { frame, picture, held } = moment;
  const unit = pixels / Math.max(rows, columns);

  useEffect(() => {
    const shares = Array.from(held, (count) => count / heads);
    const from = shown.current?.frame === frame ? shown.current.shares : shares;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches || sameShares(from, shares);
    const started = performance.now();
    let request = 0;
    const paint = (now: number) => {
      const done = still ? 1 : Math.max(0, Math.min(1, (now - started) / FADE_MS));
      const between = shares.map((share, patch) => from[patch]! + (share - from[patch]!) * done);
      shown.current = { frame, shares: between };
      if (canvas.current) paintHeat(canvas.current, { picture, shares: between, rows, columns });
      if (done < 1) request = requestAnimationFrame(paint);
    };
    paint(started);
    return () => cancelAnimationFrame(request);
  }, [frame, picture, held, rows, columns, heads]);

  return (
    <canvas
      ref={canvas}
      className="moment-picture"
      width={Math.round(unit * columns)}
      height={Math.round(unit * rows)}
    />
  );
}

function sameShares(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((share, patch) => share === b[patch]);
}
