// Multiple choice: how a question is put with its options, and which option an answer in free words means.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Most options a question may have. */
export const MAX_OPTIONS = LETTERS.length;

/** The question, its options with their letters, and what is wanted. */
export function choicePrompt(question: string, options: readonly string[]): string {
  const lines = options.map((option, i) => `${LETTERS[i]}. ${option}`);
  return [question, ...lines, 'Answer with the letter of the right option.'].join('\n');
}

/** Takes the letter off an option that brings its own, as in `B. Candles.` or `(B) Candles.` */
export function bareOption(option: string, index: number): string {
  const letter = LETTERS[index];
  const own = [`${letter}. `, `${letter}) `, `(${letter}) `, `${letter}: `].find((start) =>
    option.startsWith(start),
  );
  return option.slice(own?.length ?? 0).trim();
}

/**
 * The option an answer means: the one whose words it consists of; else the one letter it names, after a phrase such as
 * `the answer is` if there is one; else the one option whose words are in it.
 * @returns its index, or undefined when the answer means none of them, or more than one.
 */
export function readChoice(answer: string, options: readonly string[]): number | undefined {
  const said = words(answer);
  const spoken = options.map(words);
  if (spoken.filter((option) => option === said).length === 1) return spoken.indexOf(said);

  const concluding = answer.search(/\b(?:answer|option|choice)(?: is\b|:| \W*[A-Z]\b)/i);
  const letters = new Set(lettersIn(answer.slice(Math.max(0, concluding)), options.length));
  if (letters.size > 0) return letters.size === 1 ? [...letters][0] : undefined;

  const meant = spoken.map((option) => option.trim() !== '' && said.includes(option));
  // An option within a longer one that was said was not meant by itself.
  const longest = meant.map(
    (is, i) => is && !options.some((other, j) => j !== i && meant[j] && isWithin(options[i]!, other)),
  );
  const found = longest.flatMap((is, i) => (is ? [i] : []));
  return found.length === 1 ? found[0] : undefined;
}

/**
 * The options whose letters stand alone in a text, as indices. "A red star" begins with an article: a capital that a
 * word in lower case follows is no letter, unless that word joins it to another.
 */
function lettersIn(text: string, options: number): number[] {
  const alone = text.trim().match(/^[a-z]$/) ? text.toUpperCase() : text;
  return [...alone.matchAll(/(?<![\p{L}\p{N}])([A-Z])(?![\p{L}\p{N}'’])(?![^\S\n]+(?!or\b|and\b)\p{Ll})/gu)]
    .map((found) => LETTERS.indexOf(found[1]!))
    .filter((index) => index < options);
}

function isWithin(option: string, other: string): boolean {
  return words(other).length > words(option).length && words(other).includes(words(option));
}

/** Lower case, without marks, each word between blanks: so that whole words are found. */
function words(text: string): string {
  return ` ${text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}>-]+/gu, ' ')
    .trim()} `;
}
