// How a text is cut before byte-pair encoding, for each kind of tokenizer: what `tokenizer.ggml.pre` names in a GGUF
// file and a `tokenizer.json` spells out. Merges never cross these cuts, so they must be exact.

/** What a tokenizer does to a text before its merges. */
export interface PreTokenizer {
  /** Whether text is first brought to composed form (NFC). */
  readonly composed: boolean;
  /** Patterns that cut the text, one after the other; what lies between two matches is a piece, too. */
  readonly cuts: readonly RegExp[];
  /** Whether a piece that is a token is taken as such, though merges might not lead to it. */
  readonly wholePieces: boolean;
}

// The patterns are those of the published files, in JavaScript's words: `\s` there is Unicode's white space, and
// ignoring case makes the long s an s.
const CONTRACTION = `'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])`;
const SPACES = String.raw`\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`;

/** Words with what stands before them, numbers, runs of other characters with line ends, and spaces. */
function words(letter: string, number: string): RegExp {
  return new RegExp(
    [
      CONTRACTION,
      String.raw`[^\r\n\p{L}\p{N}]?[${letter}]+`,
      number,
      String.raw` ?[^\p{White_Space}${letter}\p{N}]+[\r\n]*`,
      SPACES,
    ].join('|'),
    'gu',
  );
}

/** GPT-2's: words and runs of other characters, each with the space before it. */
const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const LLAMA_3: PreTokenizer = { composed: false, cuts: [words('\\p{L}', '\\p{N}{1,3}')], wholePieces: true };

const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['qwen2', { composed: true, cuts: [words('\\p{L}', '\\p{N}')], wholePieces: false }],
  ['qwen35', { composed: true, cuts: [words('\\p{L}\\p{M}', '\\p{N}')], wholePieces: false }],
  ['llama-bpe', LLAMA_3],
  ['lfm2', LLAMA_3],
  ['smollm', { composed: false, cuts: [/\p{N}/gu, GPT2], wholePieces: false }],
]);

/** Names that {@link preTokenizer} knows. */
export const PRE_TOKENIZER_NAMES: readonly string[] = [...PRE_TOKENIZERS.keys()];

/** By its name in `tokenizer.ggml.pre`; undefined for one that is not known. */
export function preTokenizer(name: string): PreTokenizer | undefined {
  return PRE_TOKENIZERS.get(name);
}

/** The pieces of a text, in order; together they are the text in its normal form. */
export function cutText(text: string, { composed, cuts }: PreTokenizer): string[] {
  return cuts.reduce(
    (pieces, cut) => pieces.flatMap((piece) => cutPiece(piece, cut)),
    [composed ? text.normalize('NFC') : text],
  );
}

function cutPiece(text: string, cut: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(cut)) {
    if (index > end) pieces.push(text.slice(end, index));
    pieces.push(match);
    end = index + match.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
