// How sure a measured share is: the Wilson score interval (Wilson 1927), which unlike the normal one stays within
// 0 and 1 and has its width also where all or none were right.

/** 97.5 % quantile of the normal distribution: 95 % of it lie within ± this. */
const Z = 1.959964;

/** The 95 % confidence interval of a share of which `right` of `asked` were seen; [0, 1] if none was asked. */
export function wilson(right: number, asked: number): { readonly low: number; readonly high: number } {
  if (asked === 0) return { low: 0, high: 1 };
  const share = right / asked;
  const spread = Z ** 2 / asked;
  const middle = share + spread / 2;
  const reach = Math.sqrt(spread * (share * (1 - share) + spread / 4));
  return {
    low: Math.max(0, (middle - reach) / (1 + spread)),
    high: Math.min(1, (middle + reach) / (1 + spread)),
  };
}
