// What `inspect` prints of a fixture.
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { inspect } from './inspect';
import { printed } from './testing/output';

it('prints metadata, tensors and totals', async () => {
  await inspect(fileURLToPath(new URL('../reference/fixtures/gqa1-hd32-f32.model.gguf', import.meta.url)));
  const text = printed.join('\n');
  expect(text).toContain('gqa1-hd32-f32.model.gguf: GGUF version 3, ');
  expect(text).toContain('general.architecture = "qwen2vl"');
  expect(text).toMatch(/tokenizer\.ggml\.tokens = \["!", .* … 400 in all\]/);
  expect(text).toMatch(/^token_embd\.weight +\[400, 64\] +F32 +102,400 +[\d,]+$/m);
  expect(text).toMatch(/^all +14 +66,944 +267,776$/m);
});

it('names a file that is not there', async () => {
  await expect(inspect('/nowhere/x.gguf')).rejects.toThrow('x.gguf was not found');
});
