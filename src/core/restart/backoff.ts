// How long to wait before trying again. Waits double so that a broken image costs a host little, and are capped so that a mended
// dependency is noticed within a minute. Pure.

/** The longest wait between two tries of one thing. */
export const BACKOFF_MAX_MS = 60_000;

/** Wait before try number `failures` + 1: nothing before the first, `firstMs` after one failure, doubling from there. */
export function backoffMs(firstMs: number, failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(firstMs * 2 ** Math.min(failures - 1, 20), Math.max(BACKOFF_MAX_MS, firstMs));
}
