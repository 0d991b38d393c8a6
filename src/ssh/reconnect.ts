// How long to wait before the next try to reach a node. Pure.

/** Tries that fall within one lease (6 s): quick, so that a short cut loses nothing. */
const QUICK_ATTEMPTS = 8;
const QUICK_MAX_MS = 1_000;
const SLOW_MAX_MS = 15_000;

/**
 * Milliseconds until try number `attempt` (0: the first after a loss, at once). Quick tries wait at most 1 s, later ones up to 15 s.
 * `fraction` (0 ≤ x < 1) spreads nodes apart: a wait is between half and all of its length.
 */
export function nextReconnectMs(attempt: number, fraction: number): number {
  if (attempt <= 0) return 0;
  const quick = Math.min(QUICK_MAX_MS, 125 * 2 ** (attempt - 1));
  const slow = Math.min(SLOW_MAX_MS, QUICK_MAX_MS * 2 ** (attempt - QUICK_ATTEMPTS));
  const length = attempt <= QUICK_ATTEMPTS ? quick : slow;
  return Math.round(length * (0.5 + fraction / 2));
}
