// Byte-pair encoding: the bytes of a piece of text as tokens, joined two by two in the order in which the
// joins were learnt. Tokens are numbers throughout; 100 KB in one piece take no longer than in many.

/** GPT-2's byte alphabet: printable bytes stand for themselves, the other 68 for U+0100 onwards in order. */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    return String.fromCharCode(printable ? byte : next++);
  });
})();

/** When two tokens are joined, the lowest first, and into what. */
interface Merge {
  readonly rank: number;
  readonly into: number;
}

/** Pieces are remembered up to this length; longer ones hardly come twice. */
const REMEMBERED_LENGTH = 32;
const REMEMBERED_PIECES = 10_000;

/** Positions stand below ranks in the queue's numbers; ranks below 2^22 keep them exact in a double. */
const POSITIONS = 2 ** 31;

export class BytePairs {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #idOfByte: readonly (number | undefined)[];
  /** By left token · number of tokens + right token. */
  readonly #merges = new Map<number, Merge>();
  readonly #size: number;
  readonly #utf8 = new TextEncoder();
  readonly #wholePieces: boolean;
  readonly #remembered = new Map<string, readonly number[]>();

  /**
   * @param ids of ordinary tokens by their text in the byte alphabet.
   * @param merges two tokens each, with a space between; one that is not about ordinary tokens never happens.
   * @param size all ids are below it.
   * @param wholePieces whether a piece that is a token is taken as such, though merges might not lead to it.
   */
  constructor(
    ids: ReadonlyMap<string, number>,
    merges: readonly string[],
    size: number,
    wholePieces: boolean,
  ) {
    this.#ids = ids;
    this.#size = size;
    this.#wholePieces = wholePieces;
    this.#idOfByte = BYTE_CHARACTERS.map((character) => ids.get(character));
    merges.forEach((merge, rank) => {
      const space = merge.indexOf(' ', 1);
      const [first, second] = [merge.slice(0, space), merge.slice(space + 1)];
      const [left, right, into] = [ids.get(first), ids.get(second), ids.get(first + second)];
      if (left === undefined || right === undefined || into === undefined) return;
      this.#merges.set(left * size + right, { rank, into });
    });
  }

  /** The tokens of one piece of text. A byte that is no token is left out. */
  encode(piece: string): readonly number[] {
    const known = this.#remembered.get(piece);
    if (known) return known;
    const joined = this.#encodeBytes(this.#utf8.encode(piece));
    if (piece.length <= REMEMBERED_LENGTH) {
      if (this.#remembered.size >= REMEMBERED_PIECES) this.#remembered.clear();
      this.#remembered.set(piece, joined);
    }
    return joined;
  }

  #encodeBytes(bytes: Uint8Array): readonly number[] {
    if (this.#wholePieces) {
      const whole = this.#ids.get(Array.from(bytes, (byte) => BYTE_CHARACTERS[byte]).join(''));
      if (whole !== undefined) return [whole];
    }
    const ids: number[] = [];
    for (const byte of bytes) {
      const id = this.#idOfByte[byte];
      if (id !== undefined) ids.push(id);
    }
    return this.#join(ids);
  }

  /** Always the join of the lowest rank, and of those the leftmost, until there is none. */
  #join(ids: number[]): number[] {
    const count = ids.length;
    // A list of those left: a joined token stands where its left part stood.
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const gone = new Uint8Array(count);
    const queue = new MinHeap();
    const mergeAt = (at: number) => {
      const right = next[at]!;
      return right < count ? this.#merges.get(ids[at]! * this.#size + ids[right]!) : undefined;
    };
    const offer = (at: number) => {
      const merge = mergeAt(at);
      if (merge) queue.push(merge.rank * POSITIONS + at);
    };
    for (let at = 0; at < count - 1; at++) offer(at);
    for (let lowest = queue.pop(); lowest !== undefined; lowest = queue.pop()) {
      const at = lowest % POSITIONS;
      if (gone[at]) continue;
      // What was offered may have been joined to something else since.
      const merge = mergeAt(at);
      if (merge?.rank !== Math.floor(lowest / POSITIONS)) continue;
      const right = next[at]!;
      ids[at] = merge.into;
      gone[right] = 1;
      next[at] = next[right]!;
      if (next[at]! < count) previous[next[at]!] = at;
      if (previous[at]! >= 0) offer(previous[at]!);
      offer(at);
    }
    return ids.filter((_, i) => !gone[i]);
  }
}

/** Numbers, the lowest first. */
class MinHeap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const lowest = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return lowest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (child >= items.length || items[child]! >= last) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return lowest;
  }
}
