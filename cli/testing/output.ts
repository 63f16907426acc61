// What the command line wrote, for tests: nothing reaches the terminal, and each test begins with nothing written.
import { afterEach, vi } from 'vitest';

/** Lines on stdout and on stderr, by `console`. */
export const printed: string[] = [];
export const complaints: string[] = [];

vi.spyOn(console, 'log').mockImplementation((line: unknown) => void printed.push(String(line)));
vi.spyOn(console, 'error').mockImplementation((line: unknown) => void complaints.push(String(line)));
afterEach(() => {
  printed.length = 0;
  complaints.length = 0;
});
