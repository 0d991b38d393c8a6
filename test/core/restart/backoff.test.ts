// Waits between tries of one thing.

import { expect, test } from "vitest";
import { BACKOFF_MAX_MS, backoffMs } from "../../../src/core/restart/backoff.ts";

test("the first try does not wait, then waits double up to a minute", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((failures) => backoffMs(1_000, failures))).toEqual([
    0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ]);
});

test("a first wait that is longer than the cap is kept", () => {
  expect(backoffMs(90_000, 1)).toBe(90_000);
  expect(backoffMs(90_000, 9)).toBe(90_000);
});

test("no number of failures makes a wait beyond counting", () => {
  expect(backoffMs(1, 1_000_000)).toBe(BACKOFF_MAX_MS);
});
