import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

// Cross-origin isolation gives precise timers and shared memory; the policy keeps every request at home.
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  plugins: [
    react(),
    VitePWA({
      registerType: 'prompt',
      manifest: false,
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg,png,webmanifest,wasm,gguf,json,mp4}'],
        maximumFileSizeToCacheInBytes: 24 * 2 ** 20,
      },
    }),
  ],
  server: { headers },
  preview: { headers },
  worker: { format: 'es' },
  build: { target: 'es2023', chunkSizeWarningLimit: 1024 },
});
