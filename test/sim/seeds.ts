// Seeds for tests, in blocks, and what is said of one that fails.

import { runSeed } from "./run-seed.ts";

const BLOCK = 20;
/** A block takes some seconds of both cores, more on a busy machine; only one that hangs takes so long. */
export const BLOCK_TIMEOUT_MS = 300_000;

/** First and last seed of each block. */
export function seedBlocks(first: number, last: number): readonly (readonly [number, number])[] {
  const blocks: (readonly [number, number])[] = [];
  for (let from = first; from <= last; from += BLOCK) blocks.push([from, Math.min(last, from + BLOCK - 1)]);
  return blocks;
}

/** What the seeds found, with the way to see it again. */
export function violationsOf(first: number, last: number): readonly string[] {
  const found: string[] = [];
  for (let seed = first; seed <= last; seed++) {
    const { violation, lines } = runSeed({ seed });
    if (violation === undefined) continue;
    const { invariant, sentence } = violation;
    found.push(`${invariant}: ${sentence}; npm run sim -- --seed ${seed} --trace\n${lines.slice(-10).join("\n")}`);
  }
  return found;
}
