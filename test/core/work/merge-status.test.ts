// Which of two reports about one task is the newer, however late or often they come.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import { mergeStatus } from "../../../src/core/work/merge-status.ts";

const base: TaskStatus = {
  id: asId("t"),
  state: "running",
  stateAtMs: 1,
  attempt: 2,
  reason: "",
  exhausted: false,
};

describe("of two reports", () => {
  test("the later attempt counts, and within it the later state", () => {
    expect(mergeStatus(base, { ...base, attempt: 1, state: "failed" })).toBeUndefined();
    expect(mergeStatus(base, { ...base, state: "starting" })).toBeUndefined();
    expect(mergeStatus(base, { ...base, attempt: 3, state: "preparing" })?.attempt).toBe(3);
    expect(mergeStatus(base, { ...base, state: "failed" })?.state).toBe("failed");
  });

  test("the same one twice is no news", () => {
    expect(mergeStatus(base, { ...base })).toBeUndefined();
  });

  test("one from an agent that lost its memory says that no attempt follows, though it tells the end otherwise", () => {
    const failed: TaskStatus = { ...base, state: "failed", exitCode: 2, reason: "exit code 2" };
    const told = mergeStatus(failed, { ...base, state: "shutdown", exhausted: true });
    expect(told).toEqual({ ...failed, exhausted: true });
    expect(told === undefined ? undefined : mergeStatus(told, { ...base, state: "shutdown", exhausted: true })).toBe(
      undefined,
    );
  });
});
