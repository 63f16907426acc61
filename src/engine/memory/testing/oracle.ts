// The plain oracle of retention: InfiniPot-V (arXiv 2506.15745) and the sliding window as their formulas read,
// in float64, by sorting. Written apart from the policies and kernels it judges.

import type { PolicyName } from '../../contract';

/** One visual token of one (layer, head). */
export interface Token {
  readonly seq: number;
  readonly frame: number;
  readonly patch: number;
  /** As cached, i.e. rounded to f16 where the ring stores halves. */
  readonly key: Float64Array;
  readonly valueNorm: number;
}

interface Scored {
  readonly token: Token;
  readonly score: number;
}

/**
 * Sums in f32 on a GPU may order two scores closer than this either way. Where the last token chosen and the
 * first one left out differ by less, but not by nothing, both choices count as right. Exact ties do not: there
 * the older token must win.
 */
export const SCORE_TOLERANCE = 1e-5;

/**
 * The sequence numbers that may remain, in ascending order: one answer, or two where scores nearly tie.
 * @param tokens all visual tokens of one (layer, head).
 * @param keep how many stay.
 */
export function keptTokens(
  policy: PolicyName,
  tokens: readonly Token[],
  keep: number,
  tokensPerFrame: number,
): number[][] {
  const newestFrame = Math.max(...tokens.map(({ frame }) => frame));
  if (policy === 'full') return [sorted(tokens)];
  if (policy === 'sliding-window') {
    return [sorted(topOf(tokens.map((token) => ({ token, score: token.seq }))).slice(0, keep))];
  }
  // F frames' worth are held; r of them are recent.
  const held = tokens.length / tokensPerFrame;
  const recentFrames = Math.min(Math.max(Math.floor(held * 0.25), 1), Math.floor(keep / tokensPerFrame));
  const isRecent = ({ frame }: Token) => frame > newestFrame - recentFrames;
  const recent = tokens.filter(isRecent);
  const older = tokens.filter((token) => !isRecent(token));
  const distinct = Math.max(0, Math.max(recent.length, Math.floor(0.5 * keep)) - recent.length);

  const ranked = rank(older.map((token) => ({ token, score: tar(token, recent) })));
  return alternatives(ranked, distinct).map((byTar) => {
    const chosen = new Set([...recent, ...byTar]);
    const rest = older.filter((token) => !chosen.has(token));
    const byNorm = topOf(rest.map((token) => ({ token, score: token.valueNorm })));
    return sorted([...chosen, ...byNorm.slice(0, keep - chosen.size)]);
  });
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
function rank(scored: readonly Scored[]): Scored[] {
  return scored.toSorted((a, b) => b.score - a.score || a.token.seq - b.token.seq);
}

function topOf(scored: readonly Scored[]): Token[] {
  return rank(scored).map(({ token }) => token);
}

/** The top `count`, and where the next score nearly ties with the last, the same with those two exchanged. */
function alternatives(ranked: readonly Scored[], count: number): Token[][] {
  const tokens = ranked.map(({ token }) => token);
  const top = tokens.slice(0, count);
  const last = ranked[count - 1];
  const next = ranked[count];
  if (!last || !next) return [top];
  const gap = last.score - next.score;
  return gap > 0 && gap < SCORE_TOLERANCE ? [top, [...tokens.slice(0, count - 1), next.token]] : [top];
}

function sorted(tokens: readonly Token[]): number[] {
  return tokens.map(({ seq }) => seq).sort((a, b) => a - b);
}
