import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatTime } from './format';

test.each([
  [0, '0:00'],
  [-1, '0:00'],
  [59_999, '0:59'],
  [61_000, '1:01'],
  [3_661_000, '1:01:01'],
])('%d ms of stream is %s', (milliseconds, text) => {
  expect(formatTime(milliseconds)).toBe(text);
});

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [12_345_678, '12.3 MB'],
  [226_000_000, '226 MB'],
])('%d bytes is %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('durations of computing', () => {
  expect([formatDuration(12.4), formatDuration(1234)]).toEqual(['12 ms', '1.2 s']);
});
