// What the model says after a whole conversation run as one prompt, for sessions to be compared with.

import { testGpu } from '../gpu/testing/harness';
import { loadModel } from '../model';
import { continueGreedily, type PromptRun, runPrompt, seeFrames } from '../prompt';
import { fixtureFiles } from './fixtures';
import { ANSWER, FIXTURE, FRAME, noiseFrame, TOKENS_PER_FRAME } from './small-session';

/** Part of a whole prompt: text, token ids, or temporal patches of the stream of noise, a second each. */
export type PromptPart =
  | string
  | { readonly ids: readonly number[] }
  | readonly [first: number, count: number];

/** The answer of ANSWER tokens, or up to its end. @param frame size that the encoder sees. */
export async function wholePrompt(
  parts: readonly PromptPart[],
  { fixture = FIXTURE, frame = FRAME } = {},
): Promise<{ text: string; ids: number[] }> {
  const model = await loadModel(await testGpu(), {
    ...(await fixtureFiles(fixture)),
    frame,
    visualTokens: 2 * TOKENS_PER_FRAME,
    textTokens: 1024,
    maxRgbPixels: FRAME.width * FRAME.height,
  });
  try {
    const { tokenizer, grid } = model;
    const runs = parts.map((part): PromptRun => {
      if (typeof part === 'string') {
        return { kind: 'text', ids: tokenizer.encode(part, { parseSpecial: true }) };
      }
      if ('ids' in part) return { kind: 'text', ids: part.ids };
      return { kind: 'video', time: part[1], rows: grid.tokenRows, columns: grid.tokenCols };
    });
    const frames = parts.flatMap((part) =>
      typeof part === 'string' || 'ids' in part
        ? []
        : Array.from({ length: grid.framesPerPatch * part[1] }, (_, i) =>
            noiseFrame(grid.framesPerPatch * part[0] + i),
          ),
    );
    const end = await runPrompt(model, runs, seeFrames(model, runs, frames));
    const ids = await continueGreedily(model, end, ANSWER);
    const stop = ids.findIndex((id) => tokenizer.eosTokenIds.has(id));
    if (stop >= 0) ids.length = stop;
    return { text: tokenizer.decode(ids), ids };
  } finally {
    model.dispose();
  }
}
