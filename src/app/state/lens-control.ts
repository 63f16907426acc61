// What is still remembered of what was seen, moment by moment, with a picture of each: asked of the engine when
// memory has changed, not more than a few times a second.
import type { MemoryLens, Moment } from '../../engine/contract';
import { Album, takePicture } from './album';
import type { EngineControl } from './engine-control';
import { Store } from './store';

/** A moment as the page shows it. It stays the same object for as long as nothing about it changes. */
export interface SeenMoment extends Moment {
  /** None of what was seen before this page was opened. */
  readonly picture: ImageBitmap | null;
}

export interface LensState extends MemoryLens {
  readonly moments: readonly SeenMoment[];
  /** The moment that is being looked at, or null for the present. */
  readonly chosen: SeenMoment | null;
}

/** Rest after each look, in milliseconds. */
const REST_MS = 350;

const NOTHING: LensState = { heads: 1, rows: 1, columns: 1, moments: [], chosen: null };

/** How much of a moment is remembered, from 0 to 1. */
export function rememberedShare({ held }: Moment, heads: number): number {
  return held.reduce((sum, count) => sum + count, 0) / (held.length * heads);
}

export class LensControl extends Store<LensState> {
  readonly #engine: EngineControl;
  readonly #album = new Album();
  /** Counts memories: what was asked of one says nothing of the next. */
  #memories = 0;
  #due = false;
  #looking = false;

  constructor(engine: EngineControl) {
    super(NOTHING);
    this.#engine = engine;
    document.addEventListener('visibilitychange', () => {
      if (this.#due) this.refresh();
    });
    let known = engine.get().client;
    engine.subscribe(() => {
      const { client } = engine.get();
      if (client === known) return;
      known = client;
      this.clear();
    });
  }

  /** Takes a picture of a frame that is about to be watched, and may become a moment; leaves it open. */
  picture(frame: VideoFrame, timestampMs: number): void {
    const { card } = this.#engine.get();
    const picture = card && takePicture(frame, card);
    if (picture) this.#album.put(timestampMs, picture);
  }

  /** Memory has changed. While nobody sees the page, nothing is asked. */
  refresh(): void {
    this.#due = true;
    if (!this.#looking && !document.hidden) void this.#look();
  }

  /** Memory is, or is about to be, another. */
  clear(): void {
    this.#memories++;
    this.#album.clear();
    this.set(NOTHING);
  }

  /** Looks at a moment, or back at the present. */
  readonly choose = (chosen: SeenMoment | null): void => this.set({ chosen });

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      while (this.#due && !document.hidden) {
        this.#due = false;
        const memory = this.#memories;
        // A lost engine has no memory to tell of; its loss is told elsewhere.
        const lens = await this.#engine
          .get()
          .client?.lens()
          .catch(() => null);
        if (lens && memory === this.#memories) this.#show(lens);
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
      }
    } finally {
      this.#looking = false;
    }
  }

  #show(lens: MemoryLens): void {
    this.#album.keep(lens.moments.map(({ timestampMs }) => timestampMs));
    const { moments: before, chosen } = this.get();
    const known = new Map(before.map((moment) => [moment.frame, moment]));
    const moments = lens.moments.map((moment) => {
      const now = { ...moment, picture: this.#album.at(moment.timestampMs) };
      const old = known.get(moment.frame);
      return old && isSame(old, now) ? old : now;
    });
    this.set({
      ...lens,
      moments,
      // One that is told apart no longer is part of the one before it.
      chosen: chosen && (moments.findLast(({ frame }) => frame <= chosen.frame) ?? null),
    });
  }
}

function isSame(a: SeenMoment, b: SeenMoment): boolean {
  return (
    a.picture === b.picture &&
    a.heldBetween === b.heldBetween &&
    a.held.every((count, patch) => count === b.held[patch])
  );
}
