// The retention policies by name.

import type { PolicyName } from '../../contract';
import { full } from './full';
import { infinipotV } from './infinipot-v';
import type { RetentionPolicy } from './policy';
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
