// Which rotary position every token of a stream takes, and how an endless stream stays within the range that its
// model was trained on. Bookkeeping over sequence and frame numbers; `rotation.ts` turns the cached keys.
//
// A stream is a row of segments, one behind the other. Text takes a position a token. A video, consecutive
// frames, takes positions as Qwen2-VL lays it out (M-RoPE, arXiv 2409.12191): a token of a frame of time t stands at
//
//   time    start + max(0, t − zero)        row    start + row        column    start + column
//
// and what follows stands behind the largest of them. Where positions have one axis, time, a frame's tokens stand in a
// row, each one position behind the one before, and the next frame's time is behind them all (`FrameShape`). Times are
// counted through the whole stream, from one video straight on to the next (`stream-clock.ts`); one of them is called a
// second here, whatever it lasts. `zero` is the time of the video's first frame, until seconds are cut.

import type { PositionPolicy } from '../contract';
import { type FrameShape, framePositions, type Position, textPositions } from '../decoder/rotary';
import type { SeqRange } from './seq-range';

/** Text with sequence numbers first ≤ seq < end, the first of them at position `start`. */
export interface TextSegment {
  readonly kind: 'text';
  readonly first: number;
  readonly end: number;
  readonly start: number;
}

/** A video from sequence number `first` on; its frames have times below `end`. */
export interface VideoSegment {
  readonly kind: 'video';
  readonly first: number;
  readonly start: number;
  /** The time that stands at `start`; what is still held of times before shares that position. */
  readonly zero: number;
  readonly end: number;
  readonly frame: FrameShape;
}

export type Segment = TextSegment | VideoSegment;

/** Behind every time there can be: with it as zero, all frames share one position. */
export const NEVER = 0xffffffff;

/** Videos that may stand behind another with nothing between them before a rebase joins them. */
export const MOST_APART = 64;

/**
 * How far a segment's tokens come down: text, rows and columns by `shift`, the position of time t by
 * `shift` + max(0, t − zeroBefore) − max(0, t − zeroAfter).
 */
export interface Move {
  /** Sequence number from which on it holds, up to the next move's. */
  readonly first: number;
  readonly shift: number;
  readonly zeroBefore: number;
  readonly zeroAfter: number;
}

/**
 * A rebase: lays the segments out anew from position 0, with at most `most` positions if that can be, as if some
 * seconds of the stream had not been.
 * - Text keeps its words' order and distances. Text let go of takes no place, and videos with nothing between
 *   them any more become one.
 * - As many seconds as need be are cut from the oldest video, then from the next. What is still held of the cut
 *   seconds gathers at the video's start. A video keeps as many positions as it has rows or columns, whichever
 *   are more; they stand as they did to its start.
 *
 * So what opens the stream never moves, order is kept, and nothing moves up. A token that has gathered at the
 * start goes no further back, hence a key is turned a few times, not once for every rebase of an endless stream.
 *
 * @returns the new segments, and a move for each of the old.
 */
export function rebase(
  segments: readonly Segment[],
  most: number,
): { readonly segments: Segment[]; readonly moves: Move[] } {
  const joined: Segment[] = [];
  const home: number[] = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    if (last?.kind === 'video' && segment.kind === 'video') joined[joined.length - 1] = join(last, segment);
    else joined.push(segment);
    home.push(joined.length - 1);
  }
  let excess = joined.reduce((sum, segment) => sum + extent(segment), 0) - most;
  let start = 0;
  const laid = joined.map((segment): Segment => {
    let placed: Segment = { ...segment, start };
    if (placed.kind === 'video') {
      const { zero, end, frame } = placed;
      const whole = Math.ceil(excess / frame.duration) * frame.duration;
      const cut = Math.max(0, Math.min(whole, end - zero - side(frame)));
      placed = { ...placed, zero: zero + cut };
      excess -= cut;
    }
    start += extent(placed);
    return placed;
  });
  const moves = segments.map((before, i): Move => {
    const after = laid[home[i]!]!;
    return {
      first: before.first,
      shift: before.start - after.start,
      zeroBefore: before.kind === 'video' ? before.zero : 0,
      zeroAfter: after.kind === 'video' ? after.zero : 0,
    };
  });
  return { segments: laid, moves };
}

/** One video of two: seconds already cut from the second lie before those of the first that are left. */
function join(older: VideoSegment, newer: VideoSegment): VideoSegment {
  if (newer.end === newer.zero) return older; // no frame of it has come yet
  return { ...older, zero: newer.zero - (older.end - older.zero), end: newer.end };
}

/** Positions a segment takes. */
function extent(segment: Segment): number {
  if (segment.kind === 'text') return segment.end - segment.first;
  const seconds = segment.end - segment.zero;
  return seconds === 0 ? 0 : Math.max(seconds, side(segment.frame));
}

/** Positions that a frame takes by its rows or columns, whichever are more. */
export function side({ rows, columns }: FrameShape): number {
  return Math.max(rows, columns);
}

/** The segments without the text of a range; where words stand does not change. */
function without(segments: readonly Segment[], range: SeqRange): Segment[] {
  return segments.flatMap((segment): Segment[] => {
    if (segment.kind === 'video') return [segment];
    const { first, end, start } = segment;
    const before = { ...segment, end: Math.min(end, range.first) };
    const behind = { ...segment, first: Math.max(first, range.end) };
    return [before, { ...behind, start: start + behind.first - first }].filter(
      (part) => part.first < part.end,
    );
  });
}

/** The position behind all segments. */
function behind(segments: readonly Segment[]): number {
  const last = segments.at(-1);
  return last ? last.start + extent(last) : 0;
}

/** All that saving takes of a stream's positions. Plain data. */
export interface PositionsState {
  readonly policy: PositionPolicy;
  readonly segments: readonly Segment[];
  readonly rebases: number;
}

/** The positions of one stream. Hands them out in the order of the tokens' sequence numbers. */
export class Positions {
  policy: PositionPolicy = 'rebased';
  /** Positions the model was trained on: from 0 to below this. */
  readonly range: number;
  #segments: Segment[] = [];
  #rebases = 0;

  constructor(range: number) {
    this.range = range;
  }

  /** The position that text would take now: behind all others. */
  get next(): number {
    return behind(this.#segments);
  }

  /** Whether what came last was a video, or the opening of one. */
  get inVideo(): boolean {
    return this.#segments.at(-1)?.kind === 'video';
  }

  /** Rebases that moved anything since the stream began. */
  get rebases(): number {
    return this.#rebases;
  }

  /**
   * Text tokens for which rebases can make room, and for a video after them: as many positions as its frames have
   * rows or columns, and one on which the next frame comes in before a second is cut.
   */
  get textRoom(): number {
    return this.textRoomWithout([]);
  }

  /** What `textRoom` would be with these ranges of text let go: each takes its positions along, and joins videos. */
  textRoomWithout(ranges: readonly SeqRange[]): number {
    if (this.policy === 'absolute') return Number.POSITIVE_INFINITY;
    const left = ranges.reduce(without, this.#segments);
    const least = rebase(left, 0).segments;
    const newest = least.findLast(({ kind }) => kind === 'video') as VideoSegment | undefined;
    return this.range - behind(least) - (newest ? side(newest.frame) : 0) - 1;
  }

  /**
   * The way of each video's tokens back to position 0 but for their own row and column on the frame: how far their
   * keys are turned, beyond what all tokens of one patch share.
   */
  get waysBack(): readonly Move[] {
    return this.#segments
      .filter((segment) => segment.kind === 'video')
      .map(({ first, start, zero }) => ({ first, shift: start, zeroBefore: zero, zeroAfter: NEVER }));
  }

  /** Forgets all. */
  clear(): void {
    this.#segments = [];
    this.#rebases = 0;
  }

  get state(): PositionsState {
    return { policy: this.policy, segments: [...this.#segments], rebases: this.#rebases };
  }

  restore({ policy, segments, rebases }: PositionsState): void {
    this.policy = policy;
    this.#segments = [...segments];
    this.#rebases = rebases;
  }

  /** Positions of the next `count` tokens of text. */
  text(firstSeq: number, count: number): Position[] {
    const positions = textPositions(this.next, count);
    const last = this.#segments.at(-1);
    if (last?.kind === 'text' && last.end === firstSeq) {
      this.#segments[this.#segments.length - 1] = { ...last, end: firstSeq + count };
    } else if (count > 0) {
      this.#segments.push({ kind: 'text', first: firstSeq, end: firstSeq + count, start: this.next });
    }
    return positions;
  }

  /** Begins a video; its frames follow. */
  openVideo(firstSeq: number, frame: FrameShape): void {
    this.#segments.push({ kind: 'video', first: firstSeq, start: this.next, zero: 0, end: 0, frame });
  }

  /** The latest time that the next frame of the open video may have. */
  get latestTime(): number {
    const video = this.#segments.at(-1);
    if (this.policy === 'absolute' || video?.kind !== 'video' || video.zero === video.end) {
      return Number.POSITIVE_INFINITY;
    }
    const { start, zero, end, frame } = video;
    return Math.max(end, zero + this.range - start) - frame.duration;
  }

  /** Positions of the next frame of the video, row-major. @param time not before that of the frame before. */
  frame(time: number): Position[] {
    const video = this.#segments.at(-1);
    if (video?.kind !== 'video') throw new Error('A frame needs an open video');
    const zero = video.zero === video.end ? time : video.zero;
    this.#segments[this.#segments.length - 1] = { ...video, zero, end: time + video.frame.duration };
    return framePositions(video.start, time - zero, video.frame);
  }

  /** Takes back the text with sequence numbers from `nextSeq` on. */
  rollback(nextSeq: number): void {
    this.#segments = without(this.#segments, { first: nextSeq, end: Number.POSITIVE_INFINITY });
  }

  /** Lets go of the text with first ≤ sequence number < end; a later rebase closes the gap. */
  drop(firstSeq: number, endSeq: number): void {
    this.#segments = without(this.#segments, { first: firstSeq, end: endSeq });
  }

  /**
   * Rebases to half of the range where `count` more positions would pass its end; or only closes gaps, where so many
   * texts between videos were let go that the account of them would grow with the stream. To be called before the tokens
   * are given positions.
   * @returns what the keys of all tokens so far need; nothing where none moves.
   */
  makeRoom(count: number): readonly Move[] {
    const full = this.policy === 'rebased' && this.next + count > this.range;
    if (!full && this.#apart <= MOST_APART) return [];
    const half = Math.min(Math.floor(this.range / 2), this.range - count);
    const rebased = rebase(this.#segments, full ? half : Number.POSITIVE_INFINITY);
    const moved = ({ shift, zeroBefore, zeroAfter }: Move) => shift !== 0 || zeroBefore !== zeroAfter;
    this.#segments = rebased.segments;
    if (!rebased.moves.some(moved)) return [];
    this.#rebases++;
    return rebased.moves;
  }

  /** Videos that a rebase would join to the one before. */
  get #apart(): number {
    const video = (segment?: Segment) => segment?.kind === 'video';
    return this.#segments.filter((segment, i) => video(segment) && video(this.#segments[i - 1])).length;
  }
}
