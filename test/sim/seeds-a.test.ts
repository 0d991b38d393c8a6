// The first hundred seeds: random clusters in a storm of faults, and at rest after it. The other hundred are in seeds-b.test.ts, for another
// worker.

import { describe, expect, test } from "vitest";
import { BLOCK_TIMEOUT_MS, seedBlocks, violationsOf } from "./seeds.ts";

describe("a simulated cluster in a storm", () => {
  test.each(seedBlocks(1, 100))(
    "keeps every invariant and comes to rest: seeds %i to %i",
    (first, last) => {
      expect(violationsOf(first, last)).toEqual([]);
    },
    BLOCK_TIMEOUT_MS,
  );
});
