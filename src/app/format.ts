// Numbers as people read them.

const COUNT = new Intl.NumberFormat('en');

/** 1234 → `1,234`. */
export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** Milliseconds of stream time → `m:ss`, or `h:mm:ss`. */
export function formatTime(milliseconds: number): string {
  const seconds = Math.floor(Math.max(0, milliseconds) / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = String(seconds % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

const SHARES: readonly (readonly [share: number, words: string])[] = [
  [0.1, 'a tenth'],
  [1 / 4, 'a quarter'],
  [1 / 3, 'a third'],
  [1 / 2, 'half'],
  [2 / 3, 'two thirds'],
  [3 / 4, 'three quarters'],
  [0.9, 'nearly all'],
];

/** How much is remembered, from 0 to 1, → `a third remembered`. Nothing and everything only where it is just that. */
export function formatShare(share: number): string {
  if (share === 0) return 'forgotten';
  if (share === 1) return 'all remembered';
  if (share < 0.05) return 'hardly remembered';
  const distance = ([value]: readonly [number, string]) => Math.abs(value - share);
  const [, words] = SHARES.reduce((best, each) => (distance(each) < distance(best) ? each : best));
  return `${words} remembered`;
}

/** Bytes → `3.4 MB`, in powers of a thousand as systems show file sizes. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** A duration of computing → `340 ms` or `1.2 s`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
