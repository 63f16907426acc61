/** Consecutive tokens by their sequence numbers: first ≤ seq < end. */
export interface SeqRange {
  readonly first: number;
  readonly end: number;
}
