// Windows of layer-adaptive pooling of value norms (InfiniPot-V, arXiv 2506.15745). Pure arithmetic.

/** Tokens a side of the windows of a prune; 1: a token by itself. */
export interface PoolWindows {
  /** Over time, rows and columns, in the first quarter of the layers. */
  readonly volume: number;
  /** Over rows and columns, in the second quarter. */
  readonly plane: number;
}

const VOLUME_SIDE = 7;
const PLANE_SIDE = 5;

/**
 * Both windows shrink to the largest odd side that is no longer than any side of the cache's grid; as
 * published, the plane's is held by the number of frames as well.
 * @param frames whole frames' worth of tokens held.
 */
export function poolWindows(frames: number, rows: number, columns: number): PoolWindows {
  const side = (wanted: number) => {
    const most = Math.max(1, Math.min(wanted, frames, rows, columns));
    return most - 1 + (most % 2);
  };
  return { volume: side(VOLUME_SIDE), plane: side(PLANE_SIDE) };
}
