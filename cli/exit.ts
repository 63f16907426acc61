// How a program that used Dawn ends.

/** Ends the process with this code, once all that it printed has been taken. */
export async function exit(code: number): Promise<never> {
  // A pipe takes 64 KiB at a time; the rest is still waiting here. Empty writes are done when all before them are.
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((done) => stream.write('', () => done()));
  }
  // Dawn's threads would keep the process alive.
  process.exit(code);
}
