// Keeps everything until the budget is full, then takes no more frames: the reference for comparisons.

import type { RetentionPolicy } from './policy';

export const full: RetentionPolicy = { name: 'full' };
