import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatShare, formatTime } from './format';

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

test.each([
  [0, 'forgotten'],
  [1e-9, 'hardly remembered'],
  [0.12, 'a tenth remembered'],
  [0.24, 'a quarter remembered'],
  [0.35, 'a third remembered'],
  [0.5, 'half remembered'],
  [0.999, 'nearly all remembered'],
  [1, 'all remembered'],
])('a share of %d is %s', (share, text) => {
  expect(formatShare(share)).toBe(text);
});

test('durations of computing', () => {
  expect([formatDuration(12.4), formatDuration(1234)]).toEqual(['12 ms', '1.2 s']);
});
