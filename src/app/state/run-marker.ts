// Remembers that a model is being loaded or runs here, so that after the browser has ended the tab, most often for
// want of memory, the next one can say so. A page that is left, or is not on view, remembers nothing: ending those
// is what browsers do.

const KEY = 'ringside-run';

/** What was going on, and with which model and how large a memory. */
export interface Run {
  readonly phase: 'loading' | 'running';
  readonly model: string;
  readonly capacityFrames: number;
}

/** What is stored: a run, and the lock that its tab holds while it lives. */
interface Mark extends Run {
  readonly lock: string;
}

/** The mark of this tab. */
export class RunMarker {
  readonly #lock = `${KEY}-${globalThis.crypto?.randomUUID?.() ?? ''}`;
  #run: Run | null = null;

  constructor() {
    // Held until the tab ends, however it does.
    void navigator.locks?.request(this.#lock, () => new Promise(() => {}));
    addEventListener('pagehide', () => this.set(null));
    document.addEventListener('visibilitychange', () => this.#write());
  }

  /** Notes what is going on from now on; null when nothing is. */
  set(run: Run | null): void {
    this.#run = run;
    this.#write();
  }

  /** What was going on in a tab that was ended by the browser; told once. */
  async takeLeft(): Promise<Run | null> {
    const mark = read();
    if (!mark || !navigator.locks) return null;
    const { held = [] } = await navigator.locks.query();
    if (held.some(({ name }) => name === mark.lock)) return null;
    remove();
    return mark;
  }

  #write(): void {
    if (navigator.locks && this.#run && document.visibilityState !== 'hidden') {
      store({ ...this.#run, lock: this.#lock });
    } else if (read()?.lock === this.#lock) {
      remove();
    }
  }
}

// A browser may refuse storage; then nothing is remembered.

function read(): Mark | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null');
  } catch {
    return null;
  }
}

function store(mark: Mark): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(mark));
  } catch {}
}

function remove(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {}
}
