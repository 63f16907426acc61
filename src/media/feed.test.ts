import { expect, test } from 'vitest';
import { feed } from './feed';
import type { FrameSource } from './source';

/** A source of numbered stand-ins for frames; `feed` only passes them on. */
function numbered(pace: FrameSource['pace'], count: number) {
  const source = {
    name: 'numbers',
    pace,
    stream: null,
    durationMs: null,
    stopped: false,
    async *frames() {
      for (let i = 0; i < count; i++) yield { frame: i as unknown as VideoFrame, timestampMs: i * 500 };
    },
    stop() {
      source.stopped = true;
    },
  };
  return source;
}

test('keeps at most four frames of a file in flight, and loses none', async () => {
  let inFlight = 0;
  let most = 0;
  const seen: number[] = [];
  const source = numbered('file', 20);
  await feed(source, async (_frame, timestampMs) => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 2));
    inFlight--;
    seen.push(timestampMs);
  });
  expect(most).toBe(4);
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i * 500));
  expect(source.stopped).toBe(true);
});

test('never holds up a live source', async () => {
  let started = 0;
  const release: (() => void)[] = [];
  const fed = feed(numbered('live', 20), async () => {
    started++;
    await new Promise<void>((resolve) => release.push(resolve));
  });
  await expect.poll(() => started).toBe(20);
  for (const each of release) each();
  await fed;
});

test('stops the source and reports when watching fails', async () => {
  const source = numbered('file', 20);
  let watched = 0;
  const fed = feed(source, async () => {
    watched++;
    throw new Error('ring is full');
  });
  await expect(fed).rejects.toThrow('ring is full');
  expect(source.stopped).toBe(true);
  expect(watched).toBeLessThan(5);
});
