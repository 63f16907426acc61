// The benchmark as a program of its own: `npm run bench:bundle` makes one file of it, for machines that have only
// Node and Dawn.

import { runCommand } from '../cli/command-line';
import { exit } from '../cli/exit';
import { benchCommand } from './command';

const program = { call: 'node bench.mjs', description: '', commands: [benchCommand] };
await exit(await runCommand(program, benchCommand, process.argv.slice(2)));
