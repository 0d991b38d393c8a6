// The second hundred seeds, on another worker than those of seeds-a.test.ts.

import { describe, expect, test } from "vitest";
import { BLOCK_TIMEOUT_MS, seedBlocks, violationsOf } from "./seeds.ts";

describe("a simulated cluster in a storm", () => {
  test.each(seedBlocks(101, 200))(
    "keeps every invariant and comes to rest: seeds %i to %i",
    (first, last) => {
      expect(violationsOf(first, last)).toEqual([]);
    },
    BLOCK_TIMEOUT_MS,
  );
});
