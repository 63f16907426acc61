// The choice to pool value norms, as commands with a retention policy offer it.

import type { PolicyName } from '../src/engine/contract';
import { POLICY_NAMES, ranksPooled } from '../src/engine/memory/policies';
import { type Arguments, listed, type Option, UsageError } from './command';

const POOLED = POLICY_NAMES.filter(ranksPooled);

export const POOLING_OPTION: Option = {
  help: `Pool value norms, layer by layer as InfiniPot-V does (${POOLED.join(', ')}).`,
};

/** @throws UsageError when `policy`, if one was given, does not rank by value norms. */
export function poolingOf(args: Arguments, policy?: PolicyName): boolean {
  const pooling = args.has('pooling');
  if (pooling && policy && !POOLED.includes(policy)) {
    throw new UsageError(
      `--pooling is of value norms, which ${policy} does not use; it goes with ${listed(POOLED, 'and')}.`,
    );
  }
  return pooling;
}
