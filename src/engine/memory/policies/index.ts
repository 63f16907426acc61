// The retention policies by name.

import type { PolicyName } from '../../contract';
import { full } from './full';
import { infinipotV } from './infinipot-v';
import type { RetentionPolicy, ScoreKind } from './policy';
import { random } from './random';
import { slidingWindow } from './sliding-window';
import { tar } from './tar';
import { uniform } from './uniform';
import { van } from './van';

export const POLICIES: Readonly<Record<PolicyName, RetentionPolicy>> = {
  full,
  'sliding-window': slidingWindow,
  uniform,
  random,
  tar,
  van,
  'infinipot-v': infinipotV,
};

export const POLICY_NAMES = Object.keys(POLICIES) as readonly PolicyName[];

/** Those that let go of tokens. */
export const PRUNING_POLICIES = POLICY_NAMES.filter((name) => POLICIES[name].plan);

/** Whether a policy ranks by value norms, so that pooling them changes what stays. */
export function ranksPooled(policy: PolicyName): boolean {
  return ranksBy(policy, 'pooled-van');
}

/** Whether a policy compares keys, so that undoing their rotation changes what stays. */
export function comparesKeys(policy: PolicyName): boolean {
  return ranksBy(policy, 'tar');
}

/** Asked of the plan for some prune: a policy ranks by the same scores whatever the counts. */
function ranksBy(policy: PolicyName, kind: ScoreKind): boolean {
  const request = { visualTokens: 64, tokensPerFrame: 4, keep: 48, pooling: true };
  return POLICIES[policy].plan?.(request).stages.some(({ score }) => score === kind) ?? false;
}
