// How the next token is chosen where nothing else is asked for, and what may be asked.

import type { Sampling } from '../contract';
import { InvalidInputError } from '../errors';

const DEFAULT_SAMPLING: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0, maxTokens: 128 };

/**
 * What was asked for, and defaults for the rest: greedy, 128 tokens.
 * @throws InvalidInputError naming the field that is out of range.
 */
export function samplingOf(wanted: Partial<Sampling> = {}): Sampling {
  const sampling = { ...DEFAULT_SAMPLING, ...wanted };
  const { temperature, topK, topP, seed, maxTokens } = sampling;
  const check = (name: string, value: number, good: boolean, range: string) => {
    if (!good) throw new InvalidInputError(`The sampling's ${name} is ${value}; it must be ${range}.`);
  };
  check('temperature', temperature, temperature >= 0 && Number.isFinite(temperature), '0 or more');
  check('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number, 0 or more');
  check('topP', topP, topP >= 0 && topP <= 1, 'from 0 to 1');
  check('seed', seed, Number.isInteger(seed), 'a whole number');
  check('maxTokens', maxTokens, Number.isInteger(maxTokens) && maxTokens >= 1, 'a whole number, 1 or more');
  return sampling;
}
