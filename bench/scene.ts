// Moving pictures for benchmarks, drawn from a seed: every few seconds another background and other rectangles,
// which move until the next scene. Cheap to draw, so that a benchmark measures the engine.

import type { RgbFrame } from '../src/engine/contract';
import { randomWords } from '../src/engine/memory/testing/random-rows';

const FRAMES_A_SCENE = 12;
const RECTANGLES = 4;
/** Rectangles are at most this part of a side. */
const LARGEST_SHARE = 0.4;

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Parts of a side a frame. */
  readonly dx: number;
  readonly dy: number;
  readonly colour: readonly number[];
}

export class MovingScene {
  readonly #size: { readonly width: number; readonly height: number };
  readonly #next: () => number;
  readonly #background: Uint8Array;
  readonly #data: Uint8Array;
  #rectangles: readonly Rectangle[] = [];
  #frames = 0;

  constructor(size: { readonly width: number; readonly height: number }, seed: number) {
    this.#size = size;
    this.#next = randomWords(seed);
    this.#background = new Uint8Array(size.width * size.height * 3);
    this.#data = new Uint8Array(this.#background.length);
  }

  /** The next frame; its bytes are overwritten by the one after it. */
  next(): RgbFrame {
    const time = this.#frames++ % FRAMES_A_SCENE;
    if (time === 0) this.#cut();
    this.#data.set(this.#background);
    for (const rectangle of this.#rectangles) this.#draw(rectangle, time);
    return { ...this.#size, data: this.#data };
  }

  /** Another scene: a gradient with grain, and rectangles on their ways. */
  #cut(): void {
    const { width, height } = this.#size;
    const [left, right] = [this.#colour(), this.#colour()];
    for (let y = 0, at = 0; y < height; y++) {
      const grain = this.#next() & 31;
      for (let x = 0; x < width; x++) {
        const share = x / width;
        for (let c = 0; c < 3; c++) {
          this.#background[at++] = left[c]! * (1 - share) + right[c]! * share + ((grain * (x & 15)) & 31);
        }
      }
    }
    this.#rectangles = Array.from({ length: RECTANGLES }, () => ({
      x: this.#share(),
      y: this.#share(),
      width: LARGEST_SHARE * this.#share(),
      height: LARGEST_SHARE * this.#share(),
      dx: (this.#share() - 0.5) / FRAMES_A_SCENE,
      dy: (this.#share() - 0.5) / FRAMES_A_SCENE,
      colour: this.#colour(),
    }));
  }

  #draw({ x, y, width, height, dx, dy, colour }: Rectangle, time: number): void {
    const size = this.#size;
    const side = (start: number, extent: number, length: number): [number, number] => [
      Math.max(0, Math.floor(start * length)),
      Math.min(length, Math.floor((start + extent) * length)),
    ];
    const [left, right] = side(x + dx * time, width, size.width);
    const [top, bottom] = side(y + dy * time, height, size.height);
    for (let row = top; row < bottom; row++) {
      for (let at = (row * size.width + left) * 3; at < (row * size.width + right) * 3; at += 3) {
        this.#data[at] = colour[0]!;
        this.#data[at + 1] = colour[1]!;
        this.#data[at + 2] = colour[2]!;
      }
    }
  }

  /** From 0 up to, not with, 1. */
  #share(): number {
    return this.#next() / 2 ** 32;
  }

  /** Dark enough that grain never passes 255. */
  #colour(): number[] {
    return Array.from({ length: 3 }, () => 224 * this.#share());
  }
}
