// What a command is, and how its arguments are read: every mistake on the command line becomes a UsageError
// that names the option and the way out.

import { parseArgs } from 'node:util';

/** A mistake in how a command was called; ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An option of a command. One with a `value` takes an argument, which the help calls by that name. */
export interface Option {
  readonly help: string;
  readonly value?: string;
  /** May be given several times; see {@link Arguments.list}. */
  readonly repeatable?: boolean;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Arguments as the usage line shows them. */
  readonly usage: string;
  /** What it does and prints, for its own help. */
  readonly description: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Names of arguments that are no options; all are needed. */
  readonly operands?: readonly string[];
  run(args: Arguments): Promise<void>;
}

export const HELP: Option = { help: 'Print this text.' };

/** The arguments one command was called with. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.operands = operands;
    this.#values = values;
  }

  /** Whether the option was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Every value given for a repeatable option. */
  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** @throws UsageError when the option is missing. */
  needed(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`--${name} is missing.`);
    return value;
  }

  /** A whole number of at least `least`. @throws UsageError otherwise. */
  integer(name: string, least: number): number | undefined {
    const value = this.number(name, least);
    if (value === undefined || Number.isSafeInteger(value)) return value;
    throw new UsageError(`--${name} is ${this.text(name)}; it must be a whole number.`);
  }

  /** A number of at least `least` and at most `most`. @throws UsageError otherwise. */
  number(name: string, least: number, most = Number.MAX_VALUE): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    const range = most < Number.MAX_VALUE ? `from ${least} to ${most}` : `of at least ${least}`;
    throw new UsageError(`--${name} is ${text}; it must be a number ${range}.`);
  }

  /** One of `names`. @throws UsageError listing them. */
  choice<Name extends string>(name: string, names: readonly Name[]): Name | undefined {
    const text = this.text(name);
    const found = names.find((candidate) => candidate === text);
    if (text === undefined || found !== undefined) return found;
    throw new UsageError(`--${name} is '${text}'; choose ${listed(names)}.`);
  }

  /** What a value lists between commas. @throws UsageError when an item is empty or given twice. */
  items(name: string): string[] | undefined {
    const items = this.text(name)
      ?.split(',')
      .map((item) => item.trim());
    if (!items || (!items.includes('') && new Set(items).size === items.length)) return items;
    throw new UsageError(`--${name} is '${this.text(name)}'; give each once, with commas between.`);
  }

  /** Some of `names`, between commas. @throws UsageError listing them. */
  choices<Name extends string>(name: string, names: readonly Name[]): Name[] | undefined {
    return this.items(name)?.map((item) => {
      const found = names.find((candidate) => candidate === item);
      if (found !== undefined) return found;
      throw new UsageError(`--${name} has '${item}'; choose of ${listed(names, 'and')}.`);
    });
  }
}

/**
 * Reads the arguments after a command's name.
 * @throws UsageError on unknown options, missing or superfluous values and operands.
 */
export function readArguments(command: Command, argv: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string', multiple: true } as const,
    ]),
  );
  // Not strict: the tokens say what was meant, so that the messages can be our own.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
    if (!option || !rawName.startsWith('--')) throw unknownOption(command, rawName);
    if (option.value === undefined) {
      if (value !== undefined) throw new UsageError(`--${name} takes no value.`);
    } else if (value === undefined || (!token.inlineValue && value.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value: --${name} ${option.value}`);
    }
    const given = values.get(name) ?? [];
    if (given.length > 0 && option.value !== undefined && !option.repeatable) {
      throw new UsageError(`--${name} was given twice.`);
    }
    values.set(name, [...given, value ?? '']);
  }
  checkOperands(command, operands);
  return new Arguments(operands, values);
}

function checkOperands({ name, operands: wanted = [] }: Command, operands: readonly string[]): void {
  if (operands.length < wanted.length) {
    throw new UsageError(`${name} needs ${listed(wanted.slice(operands.length), 'and')}.`);
  }
  if (operands.length > wanted.length) {
    throw new UsageError(
      `'${operands[wanted.length]}' is too much: ${name} takes ${wanted.length === 0 ? 'options only' : listed(wanted, 'and')}.`,
    );
  }
}

function unknownOption({ name, options }: Command, rawName: string): UsageError {
  const names = Object.keys(options).map((option) => `--${option}`);
  const near = closest(rawName, names);
  const way = near ? `did you mean ${near}?` : `it has ${listed(names, 'and')}.`;
  return new UsageError(`${name} has no option ${rawName}; ${way}`);
}

/** The name that differs from `word` in at most two letters, or begins with it. */
export function closest(word: string, names: readonly string[]): string | undefined {
  const prefixed = names.find((name) => word.length > 3 && name.startsWith(word));
  const ranked = names.map((name) => ({ name, changes: edits(word, name) }));
  ranked.sort((a, b) => a.changes - b.changes);
  return prefixed ?? ranked.find(({ changes }) => changes <= 2)?.name;
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** `a, b or c` */
export function listed(names: readonly string[], word = 'or'): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;
}
