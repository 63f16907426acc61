// The benchmark as a program of its own: `npm run bench:bundle` makes one file of it, for machines that have only
// Node and Dawn.

import { runCommand } from '../cli/command-line';
import { benchCommand } from './command';

const program = { call: 'node bench.mjs', description: '', commands: [benchCommand] };
// Dawn's threads would keep the process alive.
process.exit(await runCommand(program, benchCommand, process.argv.slice(2)));
