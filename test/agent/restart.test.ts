// Whether an ended attempt is followed by another, and when: the restart policy as a function.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RestartPolicy } from "../../src/core/model/service-spec.ts";
import { decideRetry, type Ended, LASTING_RUN_MS, RETRY_DELAY_MIN_MS } from "../../workers/agent/plan/restart.ts";
import { firstRun } from "../../workers/agent/plan/transitions.ts";
import type { TaskRun } from "../../workers/agent/plan/types.ts";
import { taskId } from "./agent-world.ts";

const NOW_MS = 1_800_000_000_000;
const RUN = firstRun(taskId(1), "boot-1", NOW_MS - 1_000);
const POLICY: RestartPolicy = { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 };
const FAILED: Ended = { policy: POLICY, isJob: false, succeeded: false, interrupted: false, nowMs: NOW_MS };

describe("an attempt that ended", () => {
  type Row = readonly [string, Partial<Ended>, Partial<RestartPolicy>, "again" | "no more"];
  const rows: readonly Row[] = [
    ["failed", {}, { condition: "any" }, "again"],
    ["failed", {}, { condition: "on-failure" }, "again"],
    ["failed", {}, { condition: "none" }, "no more"],
    ["succeeded", { succeeded: true }, { condition: "any" }, "again"],
    ["succeeded", { succeeded: true }, { condition: "on-failure" }, "no more"],
    ["succeeded", { succeeded: true }, { condition: "none" }, "no more"],
    ["succeeded as a job", { succeeded: true, isJob: true }, { condition: "any" }, "no more"],
    ["failed as a job", { isJob: true }, { condition: "on-failure" }, "again"],
    ["was interrupted", { interrupted: true }, { condition: "none" }, "again"],
    ["was interrupted as a job", { interrupted: true, isJob: true }, { condition: "none" }, "no more"],
  ];
  test.each(rows)("%s (%j) under %j gets: %s", (_, ended, policy, verdict) => {
    const decision = decideRetry(RUN, { ...FAILED, ...ended, policy: { ...POLICY, ...policy } });
    expect("exhausted" in decision ? "no more" : "again").toBe(verdict);
  });

  test("by the host's doing is followed at once and counts for nothing", () => {
    const tried: TaskRun = { ...RUN, streak: 5, retriedAtMs: [NOW_MS - 2, NOW_MS - 1] };
    const policy = { ...POLICY, maxAttempts: 1 };
    expect(decideRetry(tried, { ...FAILED, policy, interrupted: true })).toEqual({ retryAtMs: NOW_MS, streak: 0 });
  });

  test("waits twice as long each time, up to a minute, and starts afresh after one that lasted", () => {
    let run = RUN;
    const waits: number[] = [];
    for (let failure = 0; failure < 9; failure++) {
      const decision = decideRetry(run, FAILED);
      if (!("retryAtMs" in decision)) throw new Error("it was to be tried again");
      waits.push(decision.retryAtMs - NOW_MS);
      run = { ...run, streak: decision.streak };
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    const lasting = { ...run, status: { ...run.status, startedAtMs: NOW_MS - LASTING_RUN_MS } };
    expect(decideRetry(lasting, FAILED)).toEqual({ retryAtMs: NOW_MS + 1_000, streak: 1 });
  });

  test("counts against the most attempts within the window only", () => {
    const policy = { ...POLICY, maxAttempts: 2, windowMs: 60_000 };
    const spread: TaskRun = { ...RUN, retriedAtMs: [NOW_MS - 90_000, NOW_MS - 30_000] };
    const close: TaskRun = { ...RUN, retriedAtMs: [NOW_MS - 40_000, NOW_MS - 30_000] };
    expect(decideRetry(spread, { ...FAILED, policy })).toHaveProperty("retryAtMs");
    expect(decideRetry(close, { ...FAILED, policy })).toMatchObject({ exhausted: true });
    expect(decideRetry(spread, { ...FAILED, policy: { ...policy, windowMs: 0 } })).toMatchObject({ exhausted: true });
  });

  test("never spins: from the second failure in a row on there is a wait, whatever the policy", () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 1_000 }), (delayMs, streak) => {
        const decision = decideRetry({ ...RUN, streak }, { ...FAILED, policy: { ...POLICY, delayMs } });
        if (!("retryAtMs" in decision)) throw new Error("it was to be tried again");
        expect(decision.retryAtMs - NOW_MS).toBeGreaterThanOrEqual(RETRY_DELAY_MIN_MS);
        expect(decision.retryAtMs - NOW_MS).toBeLessThanOrEqual(60_000);
      }),
    );
  });
});
