// The benchmark runs through on a small model and reports every stage; its figures are whatever they are.
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { main } from '../cli/main';
import { median } from './measure';

const printed: string[] = [];
const complaints: string[] = [];
vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
vi.spyOn(console, 'error').mockImplementation((line: string) => void complaints.push(String(line)));
afterEach(() => {
  printed.length = 0;
  complaints.length = 0;
});

const file = (name: string) => join(import.meta.dirname, '../reference/fixtures', name);

it('measures a model stage by stage', async () => {
  const files = ['--model', file('gqa1-hd32-f32.model.gguf'), '--mmproj', file('gqa1-hd32-f32.mmproj.gguf')];
  const sizes = ['--size', '56x56', '--budget-tokens', '16', '--frames', '8'];
  expect(await main(['bench', ...files, ...sizes, '--json'])).toBe(0);
  expect(printed[0]).toMatch(/^encode( +[\d.,]+){2} +4 /m);
  const report = JSON.parse(printed.at(-1)!);
  expect(report.frame).toEqual({ width: 56, height: 56, tokens: 4 });
  expect(report.stages.map(({ stage }: { stage: string }) => stage)).toEqual([
    'preprocess',
    'encode',
    'prefill',
    'prune',
    'question',
    'decode',
  ]);
  for (const { ms } of report.stages) expect(ms).toBeGreaterThan(0);
  expect(report.framePairsPerSecond).toBeGreaterThan(0);
  const bytes = Object.values<number>(report.gpuBytesByPurpose).reduce((sum, size) => sum + size, 0);
  expect(report.gpuBytes).toBe(bytes);
});

it('refuses a model where kernels are measured', async () => {
  expect(await main(['bench', '--kernels', '--frames', '8'])).toBe(2);
  expect(complaints[0]).toContain('--frames and --kernels do not go together');
});

it('takes the middle value', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});
