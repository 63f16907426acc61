// The choice of position policy, as commands that watch a stream offer it.

import type { PositionPolicy } from '../src/engine/contract';
import type { Arguments, Option } from './command';

/** Every position policy. */
export const POSITION_NAMES: readonly PositionPolicy[] = ['absolute', 'rebased'];

export const POSITIONS_OPTION: Option = {
  value: 'NAME',
  help: `Rotary positions of a long stream: ${POSITION_NAMES.join(' or ')}, i.e. brought back before they pass the trained range (rebased).`,
};

/** @throws UsageError when it is none of the names. */
export function positionsOf(args: Arguments): PositionPolicy | undefined {
  return args.choice('positions', POSITION_NAMES);
}
