// How Ringside is built and served: strict content policy, cross-origin isolation, offline use.
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

// Everything from here and nothing from anywhere else: what the page sees has no way out.
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  // The service worker is a file; the engine's worker starts from a blob, so as to come under this policy too.
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self'",
  "media-src 'self' blob: mediastream:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

// The frame that fetches models from the hub: from there and from nowhere else. It sees nothing (`workers/hub-frame.ts`).
const hubPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  'connect-src https://huggingface.co https://*.huggingface.co https://*.hf.co',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

// Cross-origin isolation gives precise timers and shared memory.
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Writes the policies into the built pages, so that they hold on any static host. (The dev server needs inline scripts.) */
const contentPolicyTag: Plugin = {
  name: 'ringside-content-policy',
  apply: 'build',
  transformIndexHtml: (_, { path }) => [
    {
      tag: 'meta',
      attrs: {
        'http-equiv': 'Content-Security-Policy',
        content: path === '/hub.html' ? hubPolicy : pagePolicy,
      },
      injectTo: 'head-prepend',
    },
  ],
};

export default defineConfig({
  // Relative addresses: the built page runs from any folder of any host.
  base: './',
  // One page; an unknown address is an honest 404, or a missing model file would arrive as HTML.
  appType: 'mpa',
  plugins: [
    react(),
    contentPolicyTag,
    VitePWA({
      registerType: 'prompt',
      injectRegister: false,
      manifest: false,
      workbox: {
        // The page itself. Models are in the store, cards and the demo clip in `workers/kept-files.ts`.
        globPatterns: ['**/*.{html,js,css,svg,png,webmanifest,wasm}'],
        maximumFileSizeToCacheInBytes: 24 * 2 ** 20,
        // One page: parameters such as `?model=` are for its script to read, and an unknown address stays a 404.
        ignoreURLParametersMatching: [/^/],
        navigateFallback: null,
      },
    }),
  ],
  server: { headers: isolation },
  preview: {
    headers: {
      ...isolation,
      // What only a header can say: by whom a page may be framed. The rest is in the pages.
      'Content-Security-Policy': "frame-ancestors 'self'",
      'Referrer-Policy': 'no-referrer',
    },
  },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 1024,
    rolldownOptions: { input: ['index.html', 'hub.html'] },
  },
});
