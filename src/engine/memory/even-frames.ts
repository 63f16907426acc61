// Which frames represent a stream evenly, chosen again and again while it grows. Pure arithmetic.

/**
 * Picks one frame for each of `count` equal stretches of a stream of `seen` frames: for the stretch that begins
 * at ⌊i·seen/count⌋ the nearest one held, of two as near the older; each once, in order. Of frames held without
 * gaps these are exactly the beginnings. Picking from what was picked before keeps every gap below about twice
 * the mean, however long the stream runs; spacing out what is held instead of the stream would thin the past at
 * every prune.
 * @param held numbers of the frames to pick from, ascending.
 * @returns at most `count` of them, ascending.
 */
export function evenFrames(held: readonly number[], count: number, seen: number): number[] {
  const picked: number[] = [];
  const wanted = Math.min(count, held.length);
  let at = 0;
  for (let i = 0; i < wanted; i++, at++) {
    const target = Math.floor((i * seen) / wanted);
    const last = held.length - wanted + i; // leaves a frame for each stretch still to come
    while (at < last && Math.abs(held[at + 1]! - target) < Math.abs(held[at]! - target)) at++;
    picked.push(held[at]!);
  }
  return picked;
}
