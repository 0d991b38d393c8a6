// Weights say only how they stand to each other: 100 and 100 are 1 and 1. Pure.

/** The greatest number that divides all of these; 1 for none. */
export function commonDivisor(weights: readonly number[]): number {
  return weights.reduce(greatestDivisor, 0) || 1;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
