// Registers the service worker that keeps the page itself for offline use, tells of a new version, and asks the
// browser not to clear away what is kept.
// Models are kept by `src/engine/store/`, small files beside them by `workers/kept-files.ts`.
/// <reference types="vite-plugin-pwa/vanillajs" />
import { registerSW } from 'virtual:pwa-register';
import { Store } from './store';

export interface OfflineState {
  /** Whether the page itself would open without a network; a model is another matter (`EngineState.kept`). */
  readonly pageKept: boolean;
  /** Whether a newer version waits for a reload. */
  readonly updateWaiting: boolean;
}

/** Offline use and updates of the page. */
export class Offline extends Store<OfflineState> {
  #update: () => Promise<void> = async () => {};

  constructor() {
    super({ pageKept: false, updateWaiting: false });
  }

  /** Registers the service worker where there is one. */
  register(): void {
    if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
    this.set({ pageKept: navigator.serviceWorker.controller !== null });
    this.#update = registerSW({
      immediate: true,
      onOfflineReady: () => this.set({ pageKept: true }),
      onNeedRefresh: () => this.set({ updateWaiting: true }),
    });
  }

  /** Asks that what is kept stays when the disk fills up; some browsers ask the user. */
  async persist(): Promise<void> {
    // Refused, or not to be had at all: it is kept as long as the browser likes.
    await navigator.storage?.persist?.().catch(() => false);
  }

  /** Reloads the page into its new version. */
  async update(): Promise<void> {
    await this.#update();
  }

  /** Keeps this version until the page is opened again. */
  later(): void {
    this.set({ updateWaiting: false });
  }
}
