// The command line: the engine in Node, on Dawn. Its commands are one file each.

import { benchCommand } from '../bench/command';
import { evalCommand } from '../eval/command';
import { askCommand } from './ask';
import { runCommandLine } from './command-line';
import { inspectCommand } from './inspect';
import { logitsCommand } from './logits';
import { retainCommand } from './retain';

export { exit } from './exit';

/**
 * Runs the command that `argv` names.
 * @returns the exit code.
 */
export function main(argv: readonly string[]): Promise<number> {
  return runCommandLine(
    {
      call: 'npm run -s cli --',
      description: 'Ringside on the command line: the video assistant of the page, in Node.',
      commands: [askCommand, logitsCommand, evalCommand, benchCommand, retainCommand, inspectCommand],
    },
    argv,
  );
}
