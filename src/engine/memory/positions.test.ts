// Where tokens stand, and what a rebase does to it: positions as Qwen2-VL gives them, then the rule of `rebase`.

import { describe, expect, it } from 'vitest';
import { frameShape } from '../decoder/rotary';
import { MOST_APART, rebase, type Segment, type VideoSegment } from './positions';
import { TrackedStream } from './testing/tracked-stream';

const GRID = frameShape({ mrope: true }, 2, 3);
/** Positions a video keeps at least. */
const SIDE = 3;

function watch(stream: TrackedStream, seconds: number): void {
  for (let i = 0; i < seconds; i++) stream.frame();
}

describe('positions', () => {
  it('text, frames and text are laid out as get_rope_index does', () => {
    const stream = new TrackedStream(1000, GRID);
    stream.text(4);
    watch(stream, 2);
    expect(stream.at(4)).toEqual([4, 4, 4]);
    expect(stream.at(4 + 6 + 5)).toEqual([5, 5, 6]);
    // Behind the largest: the third column, as there are only two seconds.
    expect(stream.positions.next).toBe(4 + 3);
    watch(stream, 3);
    expect(stream.positions.next).toBe(4 + 5);
    const question = stream.seq;
    stream.text(2);
    expect(stream.at(question)).toEqual([9, 9, 9]);
    watch(stream, 1);
    expect(stream.at(question + 2)).toEqual([11, 11, 11]);
    expect(stream.at(question + 2 + 5)).toEqual([11, 12, 13]);
  });

  it('an answer that is taken back leaves the video open', () => {
    const { positions } = new TrackedStream(1000, GRID);
    positions.text(0, 4);
    positions.openVideo(4, GRID);
    positions.frame(0);
    positions.text(10, 5);
    expect([positions.inVideo, positions.next]).toEqual([false, 12]);
    positions.rollback(12);
    expect(positions.next).toBe(9);
    positions.rollback(10);
    expect([positions.inVideo, positions.next]).toEqual([true, 7]);
    expect(positions.frame(1)[0]).toEqual([5, 4, 4]);
  });
});

describe('positions of one axis', () => {
  const ROW = frameShape({ mrope: false }, 2, 3);

  it('every token stands one behind the one before', () => {
    const stream = new TrackedStream(1000, ROW);
    stream.text(4);
    watch(stream, 3);
    stream.text(2);
    watch(stream, 1);
    const times = [...stream.tokens.values()].map(({ position }) => position[0]);
    expect(times).toEqual([...times.keys()]);
    expect(stream.positions.next).toBe(times.length);
  });

  it('a rebase cuts whole frames, and each keeps as many positions as it has tokens', () => {
    const stream = new TrackedStream(60, ROW);
    stream.text(2);
    watch(stream, 5);
    const question = stream.seq;
    stream.text(3);
    watch(stream, 2);
    expect(stream.positions.next).toBe(47);
    // To 30: 17 positions are three frames. What is held of them is where the fourth is.
    stream.makeRoom(14);
    expect(stream.times).toEqual([0, 1, 2, 2, 2, 2, 8, 14, 15, 16, 17, 23]);
    expect(stream.at(2 + 5)[0]).toBe(2 + 5);
    expect(stream.at(question)[0]).toBe(14);
    expect(stream.positions.next).toBe(29);
    watch(stream, 1);
    expect(stream.at(stream.seq - 1)[0]).toBe(34);
  });

  it('a video never ends behind the range', () => {
    const { positions } = new TrackedStream(20, ROW);
    positions.openVideo(0, ROW);
    positions.frame(0);
    expect(positions.latestTime).toBe(14);
    expect(positions.frame(14).at(-1)![0]).toBe(19);
  });
});

describe('rebase', () => {
  it('cuts seconds of one long video: times come down, rows and columns stay, text comes down whole', () => {
    const stream = new TrackedStream(40, GRID);
    stream.text(4);
    watch(stream, 30);
    const question = stream.seq;
    stream.text(5);
    expect(stream.makeRoom(1)).toEqual([]);
    // 39 positions are to become 20: 19 seconds are cut, and those 20 frames share the first second left.
    expect(stream.makeRoom(2)).toHaveLength(3);
    expect(stream.times).toEqual([
      ...[0, 1, 2, 3],
      ...Array(19).fill(4),
      ...Array.from({ length: 11 }, (_, i) => 4 + i),
      ...[15, 16, 17, 18, 19],
    ]);
    expect(stream.at(4 + 29 * 6 + 5)).toEqual([14, 5, 6]);
    expect(stream.at(question)).toEqual([15, 15, 15]);
    expect(stream.positions.next).toBe(20);
    watch(stream, 1);
    expect(stream.at(stream.seq - 1)).toEqual([20, 21, 22]);
  });

  it('cuts the oldest videos first, each down to its rows or columns, and keeps words together', () => {
    const stream = new TrackedStream(60, GRID);
    stream.text(2);
    watch(stream, 20);
    stream.text(5);
    watch(stream, 20);
    stream.text(5);
    expect(stream.positions.next).toBe(52);
    stream.makeRoom(10);
    // To 30: 17 seconds of the first video, down to the width of a frame, then 5 of the second.
    const from = (start: number, count: number) => Array.from({ length: count }, (_, i) => start + i);
    expect(stream.times).toEqual([
      ...from(0, 2),
      ...[...Array(17).fill(2), ...from(2, 3)],
      ...from(5, 5),
      ...[...Array(5).fill(10), ...from(10, 15)],
      ...from(25, 5),
    ]);
    // Rows and columns go with the start of their video.
    expect(stream.at(2 + 20 * 6 + 5 + 5)).toEqual([10, 11, 12]);
  });

  it('closes the gap of a turn let go of; the videos on either side become one', () => {
    const stream = new TrackedStream(60, GRID);
    stream.text(2);
    watch(stream, 20);
    const turn = stream.seq;
    stream.text(5);
    watch(stream, 20);
    stream.drop(turn, turn + 5);
    expect(stream.positions.next).toBe(47);
    stream.makeRoom(14);
    expect(stream.positions.next).toBe(30);
    expect(stream.times).toEqual([
      0,
      1,
      ...Array(12).fill(2),
      ...Array.from({ length: 28 }, (_, i) => 2 + i),
    ]);
    // The first frame after the turn is now of the first video.
    expect(stream.at(turn + 5)).toEqual([10, 2, 2]);
    expect(stream.at(turn + 5 + 5)).toEqual([10, 3, 4]);
  });

  it('a turn let go of in the middle of others closes up too', () => {
    const stream = new TrackedStream(40, GRID);
    stream.text(2);
    watch(stream, 20);
    const turns = stream.seq;
    stream.text(9);
    stream.drop(turns + 1, turns + 4);
    stream.makeRoom(10);
    const behind = stream.at(turns)[0];
    expect([4, 5, 6, 7, 8].map((i) => stream.at(turns + i)[0] - behind)).toEqual([1, 2, 3, 4, 5]);
  });

  it('seconds cut from a video that joins an older one stay cut', () => {
    const video = (first: number, start: number, zero: number, end: number): Segment => ({
      ...{ kind: 'video', first, start, zero, end, frame: GRID },
    });
    const { segments, moves } = rebase([video(0, 0, 4, 8), video(48, 9, 15, 25)], 100);
    expect(segments).toEqual([video(0, 0, 11, 25)]);
    // Frame 15 was at 9 and now stands right behind the four seconds of the first; frame 24 nine seconds later.
    const [, second] = moves;
    const time = (frame: number) =>
      9 + Math.max(0, frame - 15) - second!.shift - (Math.max(0, frame - 15) - Math.max(0, frame - 11));
    expect([time(15), time(24)]).toEqual([4, 13]);
  });

  it('a video that no frame of has come yet adds nothing to the one it joins', () => {
    const seen: VideoSegment = { kind: 'video', first: 0, start: 0, zero: 4, end: 8, frame: GRID };
    const opened: VideoSegment = { kind: 'video', first: 24, start: 9, zero: 0, end: 0, frame: GRID };
    expect(rebase([seen, opened], 100).segments).toEqual([seen]);
  });

  it('does what it can where text alone passes the range', () => {
    const stream = new TrackedStream(40, GRID);
    stream.text(2);
    watch(stream, 10);
    stream.text(30);
    expect(stream.positions.textRoom).toBe(40 - 2 - SIDE - 30 - SIDE - 1);
    stream.makeRoom(1);
    expect(stream.positions.next).toBe(2 + SIDE + 30);
    // Nothing is left to cut, so nothing moves.
    stream.positions.text(stream.seq, 5);
    expect(stream.makeRoom(1)).toEqual([]);
  });

  it('absolute never moves anything', () => {
    const stream = new TrackedStream(40, GRID);
    stream.positions.policy = 'absolute';
    stream.text(2);
    watch(stream, 100);
    expect(stream.makeRoom(1)).toEqual([]);
    expect([stream.positions.next, stream.positions.textRoom]).toEqual([102, Number.POSITIVE_INFINITY]);
  });

  it('a long stream of frames and turns: in range, in order, nothing moves up, the opening never moves', () => {
    const stream = new TrackedStream(120, GRID);
    stream.text(7);
    const turns: [number, number][] = [];
    let random = 1;
    const upTo = (n: number) => {
      random = Math.imul(random, 48271) >>> 0;
      return (random >>> 8) % n;
    };
    for (let round = 0; round < 100; round++) {
      const before = [...stream.tokens].map(([seq, { position }]) => [seq, position] as const);
      for (let i = upTo(30); i >= 0; i--) {
        stream.makeRoom(SIDE);
        watch(stream, 1);
        expect(stream.positions.next).toBeLessThanOrEqual(120);
      }
      const length = 1 + upTo(12);
      while (stream.positions.textRoom < length) stream.drop(...turns.shift()!);
      stream.makeRoom(length);
      const first = stream.seq;
      stream.text(length);
      turns.push([first, first + length]);
      expect(stream.positions.next).toBeLessThanOrEqual(120);

      const times = stream.times;
      expect(times.slice(0, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(times.every((time, i) => i === 0 || time >= times[i - 1]!)).toBe(true);
      const grown = before.filter(([seq, was]) =>
        stream.tokens.get(seq)?.position.some((position, axis) => position > was[axis]!),
      );
      expect(grown).toEqual([]);
      // Few survive as long as this.
      for (const seq of stream.tokens.keys()) {
        if (seq >= 7 && seq < stream.seq - 600 && seq % 97 > 0) stream.tokens.delete(seq);
      }
    }
    expect(stream.positions.rebases).toBeGreaterThan(20);
  });

  it.each(['rebased', 'absolute'] as const)(
    'the account of thousands of frames with text before each stays small: %s',
    (policy) => {
      const HELD = 16;
      const { positions } = new TrackedStream(32_768, GRID);
      positions.policy = policy;
      const texts: [number, number][] = [];
      let seq = 0;
      for (let frame = 0; frame < 4000; frame++) {
        if (texts.length === HELD) positions.drop(...texts.shift()!);
        positions.makeRoom(8 + SIDE);
        positions.text(seq, 8);
        texts.push([seq, seq + 8]);
        seq += 8;
        positions.openVideo(seq, GRID);
        positions.frame(frame);
        seq += 6;
        expect(positions.state.segments.length).toBeLessThanOrEqual(2 * HELD + MOST_APART + 2);
      }
      expect(JSON.stringify(positions.state).length).toBeLessThan(80 * (2 * HELD + MOST_APART + 2));
      expect(positions.waysBack.length).toBeLessThanOrEqual(HELD + MOST_APART + 1);
      // Each frame takes a second once its text has gone; those with text, and those not joined yet, take more.
      const most = 4000 + (HELD + MOST_APART + 1) * (8 + SIDE);
      expect(positions.next).toBeLessThanOrEqual(most);
      expect(positions.next).toBeGreaterThan(4000);
    },
  );

  it('a token moves a few times in its life: as often as turns before it go, and twice more', () => {
    const FRAMES = 800;
    const HELD = 6;
    const stream = new TrackedStream(96, frameShape({ mrope: true }, 1, 2));
    stream.text(5);
    const turns: [number, number][] = [];
    const moved = new Map<number, number>();
    const makeRoom = (count: number) => {
      const before = [...stream.tokens].map(([seq, { position }]) => [seq, position] as const);
      stream.makeRoom(count);
      for (const [seq, was] of before) {
        if (`${stream.at(seq)}` !== `${was}`) moved.set(seq, (moved.get(seq) ?? 0) + 1);
      }
    };
    for (let frame = 0; frame < FRAMES; frame++) {
      makeRoom(2);
      watch(stream, 1);
      if (frame % 41 < 40) continue;
      while (turns.length >= HELD || stream.positions.textRoom < 9) stream.drop(...turns.shift()!);
      makeRoom(9);
      turns.push([stream.seq, stream.seq + 9]);
      stream.text(9);
    }
    expect(stream.positions.rebases).toBeGreaterThan(FRAMES / 50);
    expect(Math.max(...moved.values())).toBe(HELD + 2);
  });
});
