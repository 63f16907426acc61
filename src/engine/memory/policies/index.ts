// The retention policies by name.

import type { PolicyName } from '../../contract';
import { full } from './full';
import { infinipotV } from './infinipot-v';
import type { RetentionPolicy } from './policy';
import { slidingWindow } from './sliding-window';

export const POLICIES: Readonly<Record<PolicyName, RetentionPolicy>> = {
  full,
  'sliding-window': slidingWindow,
  'infinipot-v': infinipotV,
};
