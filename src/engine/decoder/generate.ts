// Decoding: token after token, several steps submitted ahead of the one being read, so that the way back
// from the GPU never stalls it.

import { STEPS_IN_FLIGHT } from './buffers';
import type { Choice, Decoder, Place } from './decoder';
import type { Position } from './rotary';

export interface GenerateOptions {
  readonly decoder: Decoder;
  /** Token already sampled from the prompt; the first of the answer. */
  readonly firstId: number;
  /** Hands out the next slot of the ring, and the position of the token that takes it. */
  readonly next: () => { readonly place: Place; readonly position: Position };
  readonly sampling: Choice['sampling'];
  /** Most tokens to yield. */
  readonly limit: number;
  /** Ends the answer without yielding the token. */
  readonly isEnd: (id: number) => boolean;
  readonly signal?: AbortSignal;
}

/**
 * With a step that takes longer than this running, one more behind it covers the way back from the GPU: steps that
 * turn out to lie beyond the answer's end are for nothing.
 */
const LONG_STEP_MS = 8;

/** What generation leaves behind. */
export interface Generated {
  /** Tokens of the answer, without the end token. */
  readonly ids: readonly number[];
  /** Steps that ran: so many tokens, from the first on and perhaps beyond the answer's end, are in the ring. */
  readonly cached: number;
}

/**
 * Yields token ids as they are read. However it ends — end token, limit, abort, or the consumer leaving —
 * `onEnd` is called once nothing is in flight any more.
 */
export async function* generate(
  { decoder, firstId, next, sampling, limit, isEnd, signal }: GenerateOptions,
  onEnd: (generated: Generated) => void,
): AsyncGenerator<number, void> {
  const ids: number[] = [];
  const inFlight: Promise<number>[] = [];
  let cached = 0;
  let ahead = 2;
  const started = performance.now();
  const submit = () => {
    cached++;
    const { place, position } = next();
    const step = decoder.decode(position, place, { sampling, draw: cached });
    // It may fail while nobody is looking; whoever reads it learns of it.
    step.catch(() => {});
    inFlight.push(step);
  };
  try {
    for (let id = firstId; !isEnd(id) && !signal?.aborted; ) {
      // The last token needs no step: nothing is asked of what would follow it.
      while (inFlight.length < ahead && cached + 1 < limit) submit();
      ids.push(id);
      yield id;
      const read = inFlight.shift();
      if (!read) break;
      id = await read;
      ahead = (performance.now() - started) / ids.length < LONG_STEP_MS ? STEPS_IN_FLIGHT : 2;
    }
  } finally {
    await Promise.allSettled(inFlight);
    onEnd({ ids, cached });
  }
}
