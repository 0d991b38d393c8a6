// What an agent reports of a task never takes it back; what is over stays over, also by the word of an agent that lost its memory.

import { expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import type { TaskStatus } from "../../src/core/model/records.ts";
import { mergeStatus } from "../../src/core/work/merge-status.ts";

function status(changes: Partial<TaskStatus>): TaskStatus {
  return { id: asId("t"), state: "running", stateAtMs: 1, attempt: 1, reason: "", exhausted: false, ...changes };
}

test("a report of an earlier attempt, or of an earlier state of the same, changes nothing", () => {
  expect(mergeStatus(status({ attempt: 3 }), status({ attempt: 2 }))).toBeUndefined();
  expect(mergeStatus(status({ state: "failed" }), status({ state: "running" }))).toBeUndefined();
  expect(mergeStatus(status({ healthy: true }), status({ healthy: true }))).toBeUndefined();
  expect(mergeStatus(status({ limitsOf: 1 }), status({ limitsOf: 2 }))).toMatchObject({ limitsOf: 2 });
});

test("an agent that lost its memory ends a failed task with the word that it is shut down", () => {
  const failed = status({ state: "failed", attempt: 3, reason: "exit code 1" });
  const over = { ...failed, exhausted: true };
  expect(mergeStatus(failed, status({ state: "shutdown", attempt: 3 }))).toEqual(over);
  expect(mergeStatus(failed, status({ state: "shutdown", attempt: 1 }))).toEqual(over);
  expect(mergeStatus(over, status({ state: "shutdown", attempt: 1 }))).toBeUndefined();
  expect(mergeStatus(status({ attempt: 3 }), status({ state: "shutdown", attempt: 1 }))).toMatchObject({
    state: "shutdown",
    attempt: 3,
  });
});
