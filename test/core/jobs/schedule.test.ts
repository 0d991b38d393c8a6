// Jobs by a calendar in the plan: each tick is answered once, whoever was away meanwhile.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EACH_MINUTE, Jobs, MINUTE_MS } from "./jobs-model.ts";

describe("a schedule", () => {
  test("makes a run at each tick and none at the deploy, and the plan says when it wants to be asked next", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    expect(jobs.runs("tick")).toEqual([]);
    expect(jobs.wakeAtMs).toBe(Date.UTC(2026, 0, 5, 10, 1));
    jobs.pass(30_000);
    expect(jobs.runs("tick")).toMatchObject([{ number: 1, cause: "scheduled", tickAtMs: Date.UTC(2026, 0, 5, 10, 1) }]);
    jobs.endAll("tick");
    jobs.pass(MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded", "2 running"]);
  });

  test("of a night without a coordinator makes one run in the morning, which says for how many it stands", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    jobs.pass(30 * MINUTE_MS);
    expect(jobs.runs("tick")).toMatchObject([{ state: "running", missed: 29, tickAtMs: Date.UTC(2026, 0, 5, 10, 30) }]);
  });

  test("of every second, and a day without a coordinator: the newest tick is run, and the calendar is not asked for each", () => {
    const jobs = new Jobs();
    jobs.job("tick", { schedule: { cron: "* * * * * *", timezone: "UTC" } });
    jobs.nowMs = Date.UTC(2026, 0, 6, 10, 0, 30, 500);
    const began = performance.now();
    jobs.rest();
    expect(jobs.runs("tick")).toMatchObject([
      { state: "running", missed: 1_000, tickAtMs: Date.UTC(2026, 0, 6, 10, 0, 30) },
    ]);
    expect(performance.now() - began, "beats wait meanwhile").toBeLessThan(2_000);
  });

  test("that may run beside itself does so fifty times, and no more", () => {
    const jobs = new Jobs();
    jobs.job("tick", { ...EACH_MINUTE, overlap: "allow" });
    for (let minute = 0; minute < 51; minute++) jobs.pass(MINUTE_MS);
    const states = jobs.runs("tick").map(({ state }) => state);
    expect(states.filter((state) => state === "running")).toHaveLength(50);
    expect(jobs.runs("tick").at(-1)).toMatchObject({
      state: "skipped",
      message: "50 runs were still under way, more than may be at once",
    });
  });

  test("whose tick is later than its starting deadline is skipped, and the history says so", () => {
    const jobs = new Jobs();
    jobs.job("daily", { schedule: { cron: "0 12 * * *", timezone: "UTC" }, startingDeadlineMs: 10 * MINUTE_MS });
    jobs.nowMs = Date.UTC(2026, 0, 5, 12, 11);
    jobs.rest();
    expect(jobs.runs("daily")).toMatchObject([{ state: "skipped", message: "it was 660 s late, and may be 600 s" }]);
    jobs.nowMs = Date.UTC(2026, 0, 6, 12, 9);
    jobs.rest();
    expect(jobs.states("daily")).toEqual(["1 skipped", "2 running"]);
  });

  test.each([
    ["forbid", ["1 running", "2 skipped"]],
    ["allow", ["1 running", "2 running"]],
    ["replace", ["1 cancelled", "2 running"]],
  ] as const)("with overlap %s at a tick while a run is under way", (overlap, states) => {
    const jobs = new Jobs();
    jobs.job("tick", { ...EACH_MINUTE, overlap });
    jobs.pass(30_000);
    jobs.pass(MINUTE_MS);
    expect(jobs.states("tick")).toEqual(states);
  });

  test("that is suspended makes no runs, except one that is asked for, and goes on from now when it is resumed", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    jobs.suspend("tick", true);
    jobs.pass(10 * MINUTE_MS);
    expect(jobs.runs("tick")).toEqual([]);
    jobs.ask("tick");
    expect(jobs.runs("tick")).toMatchObject([{ cause: "requested", state: "running" }]);
    jobs.endAll("tick");
    jobs.suspend("tick", false);
    expect(jobs.states("tick"), "what passed meanwhile is not run").toEqual(["1 succeeded"]);
    jobs.pass(MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded", "2 running"]);
  });

  test("changed counts from the change", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    jobs.job("tick", { schedule: { cron: "0 * * * *", timezone: "UTC" } });
    jobs.pass(5 * MINUTE_MS);
    expect(jobs.runs("tick")).toEqual([]);
    jobs.pass(55 * MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 running"]);
  });

  test("whose clock is set back does not run a tick twice", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    jobs.pass(30_000);
    jobs.endAll("tick");
    jobs.pass(-10 * MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded"]);
    jobs.pass(10 * MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded"]);
  });

  test("whose clock is set back while it is suspended does not run a tick twice, and is not stuck by a clock that was wrong by years", () => {
    const jobs = new Jobs();
    jobs.job("tick", EACH_MINUTE);
    jobs.pass(30_000);
    jobs.endAll("tick");
    jobs.suspend("tick", true);
    jobs.pass(-10 * MINUTE_MS);
    jobs.suspend("tick", false);
    jobs.pass(10 * MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded"]);
    jobs.suspend("tick", true);
    jobs.pass(-2 * 1_440 * MINUTE_MS);
    jobs.suspend("tick", false);
    jobs.pass(MINUTE_MS);
    expect(jobs.states("tick")).toEqual(["1 succeeded", "2 running"]);
  });

  test("runs each tick at most once, and one within the deadline at least once, however the plan is interrupted", () => {
    const pauses = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(pauses, fc.constantFrom("allow", "replace"), (waits, overlap) => {
        const jobs = new Jobs();
        jobs.job("tick", { ...EACH_MINUTE, overlap, keptRuns: 100 });
        const startMs = jobs.nowMs;
        for (const wait of waits) {
          jobs.nowMs += wait;
          // a coordinator that is killed after any commit goes on from what is stored: each plan is one commit
          for (let passes = wait % 3; passes > 0; passes--) jobs.plan();
        }
        jobs.rest();
        const covered = jobs.runs("tick").map((run) => [run.tickAtMs ?? 0, run.missed ?? 0] as const);
        const ticks = covered.map(([tick]) => tick);
        expect(new Set(ticks).size, "a tick twice").toBe(ticks.length);
        const due = Math.floor(jobs.nowMs / MINUTE_MS) - Math.floor(startMs / MINUTE_MS);
        expect(
          covered.reduce((sum, [, missed]) => sum + missed + 1, 0),
          "a tick left out",
        ).toBe(due);
      }),
      { numRuns: 100 },
    );
  });
});
