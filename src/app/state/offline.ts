// Registers the service worker that keeps the page itself for offline use, and tells of a new version.
// The model's files are kept by `workers/kept-files.ts`.
/// <reference types="vite-plugin-pwa/vanillajs" />
import { registerSW } from 'virtual:pwa-register';
import { Store } from './store';

export interface OfflineState {
  /** Whether the page would open without a network. */
  readonly available: boolean;
  /** Whether a newer version waits for a reload. */
  readonly updateWaiting: boolean;
}

/** Offline use and updates of the page. */
export class Offline extends Store<OfflineState> {
  #update: () => Promise<void> = async () => {};

  constructor() {
    super({ available: false, updateWaiting: false });
  }

  /** Registers the service worker where there is one. */
  register(): void {
    if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
    this.set({ available: navigator.serviceWorker.controller !== null });
    this.#update = registerSW({
      immediate: true,
      onOfflineReady: () => this.set({ available: true }),
      onNeedRefresh: () => this.set({ updateWaiting: true }),
    });
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
