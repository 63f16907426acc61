// How arguments are read, and what mistakes are answered.
import { expect, it } from 'vitest';
import { type Arguments, type Command, closest } from './command';
import { type Program, runCommandLine } from './command-line';
import { nearestSide } from './frames';
import { complaints, printed } from './testing/output';

let received: Arguments | undefined;
const draw: Command = {
  name: 'draw',
  summary: 'Draw a toy.',
  usage: 'TOY [options]',
  description: 'Draws a toy.',
  options: {
    size: { value: 'N', help: 'Size.' },
    colour: { value: 'NAME', help: 'Colour.', repeatable: true },
    quick: { help: 'Quickly.' },
  },
  operands: ['TOY'],
  run: async (args) => {
    received = args;
  },
};
const erase: Command = { ...draw, name: 'erase', operands: [] };
const program: Program = { call: 'toys', description: 'Toys.', commands: [draw, erase] };

it('reads options, repeated options and operands', async () => {
  const argv = ['draw', 'ball', '--size=3', '--colour', 'red', '--colour', 'blue', '--quick'];
  expect(await runCommandLine(program, argv)).toBe(0);
  expect(received!.operands).toEqual(['ball']);
  expect(received!.integer('size', 1)).toBe(3);
  expect(received!.list('colour')).toEqual(['red', 'blue']);
  expect(received!.has('quick')).toBe(true);
  expect(complaints).toEqual([]);
});

for (const [argv, message] of [
  [['draw', 'ball', '--szie', '3'], 'draw has no option --szie; did you mean --size?'],
  [['draw', 'ball', '--weight'], 'draw has no option --weight; it has --size, --colour and --quick.'],
  [['draw', 'ball', '-s'], 'draw has no option -s; it has --size, --colour and --quick.'],
  [['draw', 'ball', '--size'], '--size needs a value: --size N'],
  [['draw', 'ball', '--size', '--quick'], '--size needs a value: --size N'],
  [['draw', 'ball', '--size', '1', '--size', '2'], '--size was given twice.'],
  [['draw', 'ball', '--quick=yes'], '--quick takes no value.'],
  [['draw'], 'draw needs TOY.'],
  [['draw', 'ball', 'top'], "'top' is too much: draw takes TOY."],
  [['erase', 'ball'], "'ball' is too much: erase takes options only."],
  [['drwa'], "There is no command 'drwa'; did you mean draw?"],
  [['paint'], "There is no command 'paint'; choose draw or erase."],
] as const) {
  it(`answers ${argv.join(' ')}`, async () => {
    expect(await runCommandLine(program, argv)).toBe(2);
    expect(complaints[0]).toBe(message);
    expect(complaints[1]).toMatch(/^See toys .*--help$/);
  });
}

it('reads lists between commas', async () => {
  await runCommandLine(program, ['draw', 'ball', '--size', '1, 2']);
  expect(received!.items('size')).toEqual(['1', '2']);
  expect(received!.choices('size', ['2', '1'])).toEqual(['1', '2']);
  expect(received!.items('colour')).toBeUndefined();
  expect(() => received!.choices('size', ['1', '3'])).toThrow("--size has '2'; choose of 1 and 3.");
  for (const size of ['1,', '1,1']) {
    await runCommandLine(program, ['draw', 'ball', '--size', size]);
    expect(() => received!.items('size')).toThrow(`--size is '${size}'; give each once`);
  }
});

it('helps with the program and with each command', async () => {
  expect(await runCommandLine(program, ['--help'])).toBe(0);
  expect(printed[0]).toMatch(/^ {2}draw +Draw a toy\.$/m);
  expect(await runCommandLine(program, ['draw', '--help'])).toBe(0);
  expect(await runCommandLine(program, ['help', 'draw'])).toBe(0);
  expect(printed[1]).toBe(printed[2]);
  expect(printed[1]).toMatch(/^ {2}--size N +Size\.$/m);
  expect(await runCommandLine(program, [])).toBe(2);
});

it('finds the nearest name', () => {
  expect(closest('--prompt', ['--model', '--prompt-ids'])).toBe('--prompt-ids');
  expect(closest('logit', ['ask', 'logits'])).toBe('logits');
  expect(closest('zebra', ['ask', 'logits'])).toBeUndefined();
});

it("rounds sides as Qwen2-VL's smart_resize does", () => {
  const sides = [10, 28, 42, 70, 71, 112, 126].map((pixels) => nearestSide(pixels, 28));
  expect(sides).toEqual([28, 28, 56, 56, 84, 112, 112]);
});
