// What a retention policy compares tokens by, as commands offer the choice.

import type { PolicyName, TarKeys } from '../src/engine/contract';
import { comparesKeys, POLICY_NAMES, ranksPooled } from '../src/engine/memory/policies';
import type { Retention } from '../src/engine/memory/ring';
import { type Arguments, listed, type Option, UsageError } from './command';

const TAR_KEYS: readonly TarKeys[] = ['cached', 'unrotated'];

/** A retention policy, and what it compares tokens by. */
export interface RetentionChoice {
  /** The policy's name; followed by `+pooling` where norms are pooled, and `+unrotated` where such keys are compared. */
  readonly name: string;
  readonly how: Pick<Retention, 'policy' | 'pooling' | 'tarKeys'>;
}

/** Every policy, and again with every choice that changes what stays. */
export const RETENTIONS: readonly RetentionChoice[] = POLICY_NAMES.flatMap((policy) =>
  TAR_KEYS.slice(0, comparesKeys(policy) ? 2 : 1).flatMap((tarKeys) =>
    (ranksPooled(policy) ? [false, true] : [false]).map((pooling) => ({
      name: `${policy}${pooling ? '+pooling' : ''}${tarKeys === 'unrotated' ? '+unrotated' : ''}`,
      how: { policy, pooling, tarKeys },
    })),
  ),
);

/** What commands that compare them choose from. */
export const RETENTION_NAMES: readonly string[] = RETENTIONS.map(({ name }) => name);

const POOLED = POLICY_NAMES.filter(ranksPooled);
const COMPARED = POLICY_NAMES.filter(comparesKeys);

export const POOLING_OPTION: Option = {
  help: `Pool value norms, layer by layer as InfiniPot-V does (${POOLED.join(', ')}).`,
};

export const TAR_KEYS_OPTION: Option = {
  value: 'WHICH',
  help: `Compare keys as cached, or unrotated: with the rotation by their positions undone (${COMPARED.join(', ')}).`,
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

/** @throws UsageError when it is none of the two, or `policy`, if one was given, does not compare keys. */
export function tarKeysOf(args: Arguments, policy?: PolicyName): TarKeys | undefined {
  const tarKeys = args.choice('tar-keys', TAR_KEYS);
  if (tarKeys && policy && !COMPARED.includes(policy)) {
    throw new UsageError(
      `--tar-keys is of keys, which ${policy} does not compare; it goes with ${listed(COMPARED, 'and')}.`,
    );
  }
  return tarKeys;
}
