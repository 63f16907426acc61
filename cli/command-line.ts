// Runs one of several commands: help texts, the choice of the command, and failures as messages with exit
// codes: 0 done, 1 failed, 2 called wrongly.

import { EngineError } from '../src/engine/errors';
import { type Command, closest, HELP, listed, type Option, readArguments, UsageError } from './command';

/** A program of several commands, as its help describes it. */
export interface Program {
  /** How it is called, e.g. `npm run -s cli --`. */
  readonly call: string;
  readonly description: string;
  readonly commands: readonly Command[];
}

/**
 * Runs the command that `argv` names and prints what goes wrong to stderr.
 * @returns the exit code.
 */
export async function runCommandLine(program: Program, argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = program.commands.find((command) => command.name === rest[0]);
    const text = asked ? commandHelp(program, asked) : programHelp(program);
    if (name !== undefined) {
      console.log(text);
      return 0;
    }
    console.error(text);
    return 2;
  }
  const command = program.commands.find((candidate) => candidate.name === name);
  if (!command) {
    const names = program.commands.map((candidate) => candidate.name);
    const near = closest(name, names);
    console.error(
      `There is no command '${name}'; ${near ? `did you mean ${near}?` : `choose ${listed(names)}.`}`,
    );
    console.error(`See ${program.call} --help`);
    return 2;
  }
  return runCommand(program, command, rest);
}

/** Runs a command with the arguments after its name. */
export async function runCommand(
  program: Program,
  command: Command,
  argv: readonly string[],
): Promise<number> {
  const options = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  if (options.includes('--help') || options.includes('-h')) {
    console.log(commandHelp(program, command));
    return 0;
  }
  try {
    await command.run(readArguments(command, argv));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message);
      console.error(`See ${callOf(program, command)} --help`);
      return 2;
    }
    console.error(error instanceof EngineError ? error.message : error);
    return 1;
  }
}

function callOf({ call, commands }: Program, { name }: Command): string {
  return commands.length === 1 ? call : `${call} ${name}`;
}

function programHelp(program: Program): string {
  const { call, description, commands } = program;
  const only = commands[0];
  if (commands.length === 1 && only) return commandHelp(program, only);
  const names = commands.map((command) => [command.name, command.summary] as const);
  return [
    description,
    `Usage: ${call} COMMAND [options]`,
    `Commands:\n${aligned(names)}`,
    `Options of a command: ${call} COMMAND --help`,
    ENVIRONMENT,
  ].join('\n\n');
}

function commandHelp(program: Program, command: Command): string {
  const options = Object.entries<Option>({ ...command.options, help: HELP });
  const lines = options.map(
    ([name, { value, help }]) => [value === undefined ? `--${name}` : `--${name} ${value}`, help] as const,
  );
  return [
    `Usage: ${callOf(program, command)} ${command.usage}`,
    command.description,
    `Options:\n${aligned(lines)}`,
    ENVIRONMENT,
  ].join('\n\n');
}

const ENVIRONMENT = `Environment:
  RINGSIDE_GPU  native, swiftshader or lavapipe; unset: the machine's GPU, or a software driver if there is none.`;

/** Two columns; the second wraps at 100 characters. */
function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  const margin = `\n${' '.repeat(width + 4)}`;
  return rows
    .map(([left, right]) => `  ${left.padEnd(width)}  ${wrapped(right, 96 - width).join(margin)}`)
    .join('\n');
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
