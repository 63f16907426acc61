// Memory saved and restored through the worker, with the real model in a real browser.

import { expect, test } from '@playwright/test';
import { serveModules } from './modules';

test.setTimeout(400_000);

test('a worker goes on from saved memory, another one too, and a damaged one is refused by name', async ({
  page,
}) => {
  const modules = await serveModules();
  try {
    await page.goto(`${modules.url}models/toybox/card.json`);
    const { want, again, elsewhere, refusal } = await page.evaluate(saveAndRestore, {
      client: '/workers/engine-client.ts',
      errors: '/src/engine/errors.ts',
    });
    for (const answer of want) expect(answer).not.toBe('');
    expect(again).toEqual(want);
    expect(elsewhere).toEqual(want);
    expect(refusal.typed).toBe(true);
    expect(refusal.name).toBe('SnapshotError');
    expect(refusal.message).toContain('The saved memory is damaged: its checksum does not match its bytes.');
    expect(refusal.after).toEqual(refusal.before);
  } finally {
    await modules.close();
  }
});

/** Runs in the page. */
async function saveAndRestore(modules: { readonly client: string; readonly errors: string }) {
  const { EngineClient } = (await import(modules.client)) as typeof import('../workers/engine-client');
  const { SnapshotError } = (await import(modules.errors)) as typeof import('../src/engine/errors');

  const open = async () => {
    const client = new EngineClient({ onStatus: () => {}, onLost: () => {} });
    const fileUrl = (name: string) => new URL(name, location.href).href;
    await client.load({
      source: { kind: 'urls', model: fileUrl('model.gguf'), mmproj: fileUrl('mmproj.gguf') },
      frame: { width: 112, height: 112 },
      policy: 'infinipot-v',
      budgetTokens: 64,
      capacityTokens: 64,
    });
    return client;
  };
  let client = await open();

  let timestampMs = 0;
  const watch = async (colour: string, frames: number) => {
    const canvas = new OffscreenCanvas(112, 112);
    const context = canvas.getContext('2d')!;
    for (let i = 0; i < frames; i++) {
      context.fillStyle = 'white';
      context.fillRect(0, 0, 112, 112);
      context.fillStyle = colour;
      context.fillRect(20 + 4 * i, 40, 36, 36);
      timestampMs += 500;
      await client.watch(new VideoFrame(canvas, { timestamp: 1000 * timestampMs }), timestampMs);
    }
  };
  const ask = async (question: string) => (await client.ask(question, () => {})).text;
  const held = async () => {
    const { visualTokens, dialogueTokens, framesSeen } = (await client.memory())!.report;
    return [visualTokens, dialogueTokens, framesSeen].join();
  };
  const goOn = async () => {
    const first = await ask('What do you see?');
    await watch('green', 2);
    return [first, await ask('What colour is it?'), await held()];
  };

  // More than memory holds, and a turn.
  await watch('red', 12);
  await ask('What do you see?');
  const saved = await client.save();
  const want = await goOn();

  await client.forget();
  await watch('blue', 4);
  const before = await held();
  const damaged = saved.slice();
  damaged[damaged.length >> 1]! ^= 1;
  const error = await client.restore(damaged).catch((thrown: unknown) => thrown as Error);
  const { name = '', message = '' } = error ?? {};
  const refusal = { typed: error instanceof SnapshotError, name, message, before, after: await held() };

  await client.restore(saved.slice());
  const again = await goOn();
  client.dispose();
  client = await open();
  await client.restore(saved);
  const elsewhere = await goOn();
  client.dispose();
  return { want, again, elsewhere, refusal };
}
