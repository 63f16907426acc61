// The plain oracle of retention: InfiniPot-V (arXiv 2506.15745) and the other policies as their formulas read, in
// float64, by sorting. Written apart from the policies and kernels it judges.

import type { PolicyName } from '../../contract';
import { TOLERANCE } from '../../testing/tolerance';

/** One visual token of one (layer, head). */
export interface Token {
  readonly seq: number;
  readonly frame: number;
  readonly patch: number;
  /** As cached, i.e. rounded to f16 where the ring stores halves. */
  readonly key: Float64Array;
  readonly valueNorm: number;
}

/** What a policy goes by besides the tokens of one head. */
export interface Circumstances {
  readonly tokensPerFrame: number;
  /** Of random retention. */
  readonly seed: number;
  /** Of uniform retention: the frames that stand for the stream; see {@link spreadFrames}. */
  readonly evenFrames: readonly number[];
  /** Whether value norms are pooled, and what that depends on. */
  readonly pooling: boolean;
  readonly gridColumns: number;
  readonly layer: number;
  readonly layers: number;
}

interface Scored {
  readonly token: Token;
  readonly score: number;
}

/**
 * The sequence numbers that may remain, in ascending order: one answer, or two where scores nearly tie.
 * @param tokens all visual tokens of one (layer, head).
 * @param keep how many stay.
 */
export function keptTokens(
  policy: PolicyName,
  tokens: readonly Token[],
  keep: number,
  circumstances: Circumstances,
): number[][] {
  const { tokensPerFrame, seed, evenFrames } = circumstances;
  const newestFrame = Math.max(...tokens.map(({ frame }) => frame));
  if (policy === 'full') return [sorted(tokens)];
  const topBy = (score: (token: Token) => number) => [
    sorted(
      scored(tokens, score)
        .slice(0, keep)
        .map(({ token }) => token),
    ),
  ];
  if (policy === 'sliding-window') return topBy(({ seq }) => seq);
  const value = valueScore(tokens, circumstances);
  if (policy === 'van') return alternatives(scored(tokens, value), keep).map(sorted);
  if (policy === 'random') return topBy(({ seq }) => randomScore(seed, seq));
  if (policy === 'uniform') {
    return topBy(({ frame }) => -Math.min(...evenFrames.map((even) => Math.abs(even - frame))));
  }
  // F frames' worth are held; r of them are recent.
  const held = tokens.length / tokensPerFrame;
  const recentFrames = Math.min(Math.max(Math.floor(held * 0.25), 1), Math.floor(keep / tokensPerFrame));
  const isRecent = ({ frame }: Token) => frame > newestFrame - recentFrames;
  const recent = tokens.filter(isRecent);
  const older = tokens.filter((token) => !isRecent(token));
  // Half of what stays goes by value; of an odd number the half that is even when rounded.
  const byValue = keep % 4 === 3 ? (keep + 1) / 2 : Math.floor(keep / 2);
  const share = policy === 'tar' ? keep : keep - byValue;
  const distinct = Math.max(0, share - recent.length);

  const ranked = scored(older, (token) => tar(token, recent));
  return alternatives(ranked, distinct).flatMap((byTar) => {
    const chosen = new Set([...recent, ...byTar]);
    const rest = older.filter((token) => !chosen.has(token));
    return alternatives(scored(rest, value), keep - chosen.size).map((byValue) =>
      sorted([...chosen, ...byValue]),
    );
  });
}

/**
 * VaN of each of `tokens`, pooled if asked: in the first quarter of the layers over cubes of the grid of all
 * frames, in the second over squares, in the third over three tokens in a row.
 */
function valueScore(
  tokens: readonly Token[],
  { pooling, tokensPerFrame, gridColumns, layer, layers }: Circumstances,
): (token: Token) => number {
  const quarter = Math.min(3, Math.floor(layer / Math.max(1, Math.floor(layers / 4))));
  if (!pooling || quarter === 3) return ({ valueNorm }) => valueNorm;
  const norms = new Map(tokens.map((token) => [token.frame * tokensPerFrame + token.patch, token.valueNorm]));
  const gridRows = tokensPerFrame / gridColumns;
  const least = Math.min(Math.floor(tokens.length / tokensPerFrame), gridRows, gridColumns);
  const side = [7, 5, 3, 1].find((odd) => odd <= (quarter === 0 ? 7 : 5) && odd <= Math.max(1, least))!;
  const reach = (side - 1) / 2;
  const around = (middle: number, far: number) =>
    Array.from({ length: 2 * far + 1 }, (_, i) => middle - far + i);
  return ({ frame, patch }) => {
    const place = frame * tokensPerFrame + patch;
    let window = around(place, 1);
    if (quarter < 2) {
      const inGrid = (row: number, column: number) =>
        row >= 0 && row < gridRows && column >= 0 && column < gridColumns;
      window = around(frame, quarter === 0 ? reach : 0).flatMap((f) =>
        around(Math.floor(patch / gridColumns), reach).flatMap((row) =>
          around(patch % gridColumns, reach).map((column) =>
            inGrid(row, column) ? f * tokensPerFrame + row * gridColumns + column : -1,
          ),
        ),
      );
    }
    // In ascending order, so that equal windows have equal sums.
    const held = window.map((at) => norms.get(at) ?? 0).sort((a, b) => a - b);
    return held.reduce((sum, norm) => sum + norm, 0) / window.length;
  };
}

/**
 * The frames that stand for a stream of `seen` frames after a prune to `count` of them, out of `held`: for each
 * of the times ⌊i·seen/count⌋ the nearest frame (of two the older) after the one before that leaves enough.
 */
export function spreadFrames(held: readonly number[], count: number, seen: number): number[] {
  if (held.length <= count) return [...held];
  const chosen: number[] = [];
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i * seen) / count);
    const open = held.slice(0, held.length - (count - 1 - i)).filter((f) => f > (chosen.at(-1) ?? -1));
    chosen.push(open.toSorted((a, b) => Math.abs(a - time) - Math.abs(b - time) || a - b)[0]!);
  }
  return chosen;
}

/** PCG's output permutation of a mix of both, in 64-bit integers; see shaders/lib/hash.wesl. */
function randomScore(seed: number, seq: number): number {
  const word32 = (value: bigint) => BigInt.asUintN(32, value);
  const state = word32((BigInt(seed) ^ word32(BigInt(seq) * 0x9e3779b9n)) * 747796405n + 2891336453n);
  const word = word32(((state >> ((state >> 28n) + 4n)) ^ state) * 277803737n);
  return Number((word >> 22n) ^ word);
}

/** − mean over the recent keys at the token's own patch of their cosine with its key. */
export function tar(token: Token, recent: readonly Token[]): number {
  const others = recent.filter(({ patch }) => patch === token.patch);
  const sum = others.reduce((total, other) => total + cosine(token.key, other.key), 0);
  return sum === 0 ? 0 : -sum / others.length;
}

function cosine(a: Float64Array, b: Float64Array): number {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Highest score first; of equal ones the older token. */
function scored(tokens: readonly Token[], score: (token: Token) => number): Scored[] {
  return tokens
    .map((token) => ({ token, score: score(token) }))
    .sort((a, b) => b.score - a.score || a.token.seq - b.token.seq);
}

/**
 * The top `count`, and where the next score nearly ties with the last, the same with those two exchanged. Exact ties
 * leave no choice: there the older token must win.
 */
function alternatives(ranked: readonly Scored[], count: number): Token[][] {
  const tokens = ranked.map(({ token }) => token);
  const top = tokens.slice(0, count);
  const last = ranked[count - 1];
  const next = ranked[count];
  if (!last || !next) return [top];
  const gap = last.score - next.score;
  return gap > 0 && gap < TOLERANCE.scoreGapF32 ? [top, [...tokens.slice(0, count - 1), next.token]] : [top];
}

function sorted(tokens: readonly Token[]): number[] {
  return tokens.map(({ seq }) => seq).sort((a, b) => a - b);
}
