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
 * The option an answer means: by a letter that follows a word such as `answer is`, is the only one in brackets, or
 * opens the answer; else by the one option whose words are in it.
 * @returns its index, or undefined when the answer means none of them, or more than one.
 */
export function readChoice(answer: string, options: readonly string[]): number | undefined {
  const text = answer.trim();
  const named = text.match(
    /\b(?:[Aa]nswer|[Oo]ption|[Cc]hoice)(?: is)?:?\s*["'*([]*([A-Z])\b(?!\s+[a-z])/,
  )?.[1];
  const bracketed = [...text.matchAll(/\(([A-Z])\)/g)].map((found) => found[1]!);
  if (!named && new Set(bracketed).size > 1) return undefined;
  // "A red star." begins with an article, so an opening letter counts only before a mark or a line's end.
  const opening = text.match(/^["'*([]*([A-Za-z])["'*]*(?:$|\s*[)\].:,\n])/)?.[1];
  for (const letter of [named, bracketed[0], opening]) {
    const index = letter === undefined ? -1 : LETTERS.indexOf(letter.toUpperCase());
    if (index >= 0 && index < options.length) return index;
  }
  const said = words(text);
  const meant = options.map(words).map((option) => option.trim() !== '' && said.includes(option));
  // An option within a longer one that was said was not meant by itself.
  const longest = meant.map(
    (is, i) => is && !options.some((other, j) => j !== i && meant[j] && isWithin(options[i]!, other)),
  );
  const found = longest.flatMap((is, i) => (is ? [i] : []));
  return found.length === 1 ? found[0] : undefined;
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
