// Jobs in the plan: when a run is made, what it makes, how it ends, and that nothing is answered twice, whoever was away meanwhile.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobRun, JobSpec } from "../../../src/core/model/job.ts";
import type { Task } from "../../../src/core/model/records.ts";
import type { ServiceMode } from "../../../src/core/model/service-spec.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

const MINUTE_MS = 60_000;
const ONCE: ServiceMode = { kind: "replicated-job", completions: 1, concurrency: 0 };
const EACH_MINUTE: Partial<JobSpec> = { schedule: { cron: "* * * * *", timezone: "UTC" } };

class Jobs extends WorldModel {
  constructor(nodes = 3) {
    super();
    for (let number = 1; number <= nodes; number++) this.node(`n${number}`);
    // half a minute past: the next tick of every minute is thirty seconds away
    this.nowMs = Date.UTC(2026, 0, 5, 10, 0, 30);
  }

  job(name: string, changes: Partial<JobSpec> = {}, mode: ServiceMode = ONCE, image = "web:v1"): void {
    this.deploy(name, mode, template({ image }), {}, changes);
    this.rest();
  }

  runs(name: string): readonly JobRun[] {
    return [...this.state.run.values()].filter((run) => run.serviceId === name).sort((a, b) => a.number - b.number);
  }

  states(name: string): readonly string[] {
    return this.runs(name).map((run) => `${run.number} ${run.state}`);
  }

  /** A task's container ends: well, or for good. */
  end(task: Task | undefined, isFine = true): void {
    if (task === undefined) return expect.fail("there is no such task");
    const how = isFine ? ({ state: "complete", exitCode: 0 } as const) : ({ state: "failed", exitCode: 3 } as const);
    this.status(task.id, { ...how, exhausted: true, reason: isFine ? "" : "exit code 3", startedAtMs: this.nowMs });
    this.rest();
  }

  /** Every task that is to run ends well. */
  endAll(name: string): void {
    for (const task of this.live(name)) this.end(task);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.rest();
  }

  ask(name: string): void {
    const service = this.state.service.get(name);
    if (service?.job === undefined) return expect.fail("no such job");
    this.state.service.set(name, { ...service, job: { ...service.job, requested: service.job.requested + 1 } });
    this.rest();
  }

  suspend(name: string, suspended: boolean): void {
    const service = this.state.service.get(name);
    if (service?.job === undefined) return expect.fail("no such job");
    this.state.service.set(name, { ...service, job: { ...service.job, suspended } });
    this.rest();
  }
}

describe("a job without a schedule", () => {
  test("runs once when it is deployed, and again only for another template or by force", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    expect(jobs.states("seed")).toEqual(["1 running"]);
    expect(jobs.live("seed")).toMatchObject([{ slot: 1, run: 1 }]);
    jobs.endAll("seed");
    expect(jobs.states("seed")).toEqual(["1 succeeded"]);
    jobs.pass(MINUTE_MS);
    jobs.job("seed");
    expect(jobs.states("seed"), "the same template").toEqual(["1 succeeded"]);
    jobs.job("seed", {}, ONCE, "web:v2");
    expect(jobs.states("seed")).toEqual(["1 succeeded", "2 running"]);
  });

  test("makes so many tasks at once, and as many as it must complete", () => {
    const jobs = new Jobs();
    jobs.job("parts", {}, { kind: "replicated-job", completions: 5, concurrency: 2 });
    expect(jobs.live("parts")).toHaveLength(2);
    jobs.end(jobs.live("parts")[0]);
    expect(jobs.live("parts").map((task) => task.slot)).toEqual([1, 2, 3]);
    for (let round = 0; round < 4; round++) jobs.endAll("parts");
    expect(jobs.states("parts")).toEqual(["1 succeeded"]);
    expect(new Set(jobs.tasks("parts").map((task) => task.slot)).size).toBe(5);
    expect(jobs.live("parts"), "what has completed is kept for its logs, and is not to run").toEqual([]);
  });

  test("fails when a task's attempts are used up, ends the others, and says which and why", () => {
    const jobs = new Jobs();
    jobs.job("parts", {}, { kind: "replicated-job", completions: 3, concurrency: 0 });
    const [first] = jobs.live("parts");
    jobs.end(first, false);
    expect(jobs.runs("parts")).toMatchObject([
      { state: "failed", message: expect.stringMatching(/^parts\.run-1\.1 on n\d: exit code 3$/) },
    ]);
    expect(jobs.live("parts")).toEqual([]);
    jobs.pass(10 * MINUTE_MS);
    expect(jobs.states("parts"), "nobody asked again").toEqual(["1 failed"]);
  });

  test("is made again elsewhere when its node is lost, and what the node finished all the same counts", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    const [first] = jobs.live("seed");
    jobs.lose(first?.nodeId ?? ("" as never));
    jobs.rest();
    const [second] = jobs.live("seed");
    expect(second?.nodeId).not.toBe(first?.nodeId);
    expect(second?.replaces).toBe(first?.id);
    jobs.comeBack(first?.nodeId ?? ("" as never));
    jobs.end(first);
    expect(jobs.states("seed")).toEqual(["1 succeeded"]);
    expect(jobs.live("seed")).toEqual([]);
  });

  test("leaves a draining node in order: stopped there first, then made again", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    const [first] = jobs.live("seed");
    jobs.agents();
    jobs.availability(first?.nodeId ?? ("" as never), "drain");
    jobs.rest();
    expect(jobs.live("seed")).toEqual([]);
    jobs.agents();
    jobs.rest();
    expect(jobs.live("seed").map((task) => task.nodeId === first?.nodeId)).toEqual([false]);
  });

  test("that takes longer than it may fails", () => {
    const jobs = new Jobs();
    jobs.job("seed", { timeoutMs: MINUTE_MS });
    jobs.pass(MINUTE_MS - 1);
    expect(jobs.states("seed")).toEqual(["1 running"]);
    jobs.pass(1);
    expect(jobs.runs("seed")).toMatchObject([{ state: "failed", message: "it took longer than 60 s" }]);
    expect(jobs.live("seed")).toEqual([]);
  });

  test("deployed anew while it runs makes way for what is new", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    jobs.job("seed", {}, ONCE, "web:v2");
    expect(jobs.states("seed")).toEqual(["1 cancelled", "2 running"]);
    expect(jobs.live("seed").map((task) => task.run)).toEqual([2]);
  });

  test("that fits nowhere waits, says why, and runs once it fits", () => {
    const jobs = new Jobs(0);
    jobs.job("seed");
    expect(jobs.live("seed")).toMatchObject([{ waiting: expect.stringContaining("there are no nodes") }]);
    jobs.node("late");
    jobs.rest();
    expect(jobs.live("seed").map((task) => task.nodeId)).toEqual(["late"]);
  });
});

describe("a job on every node", () => {
  test("is for the nodes that were there when its run was made, and a node that is removed holds it up no longer", () => {
    const jobs = new Jobs(2);
    jobs.job("tidy", {}, { kind: "global-job" });
    expect(jobs.live("tidy").map((task) => task.onlyNode)).toEqual(["n1", "n2"]);
    jobs.node("n3");
    jobs.rest();
    expect(jobs.live("tidy")).toHaveLength(2);
    jobs.end(jobs.live("tidy")[0]);
    jobs.state.node.delete("n2");
    jobs.rest();
    expect(jobs.states("tidy")).toEqual(["1 succeeded"]);
  });

  test("fails at once when no node can be reached", () => {
    const jobs = new Jobs(0);
    jobs.job("tidy", {}, { kind: "global-job" });
    expect(jobs.runs("tidy")).toMatchObject([{ state: "failed", message: expect.stringContaining("no node") }]);
  });
});

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

describe("a job after others", () => {
  test("runs when all before it have succeeded since its last run, not for successes of before it was there", () => {
    const jobs = new Jobs();
    jobs.job("a");
    jobs.endAll("a");
    jobs.job("b");
    jobs.job("report", { after: ["a", "b"] });
    jobs.endAll("b");
    expect(jobs.runs("report"), "a succeeded before it was there").toEqual([]);
    jobs.ask("a");
    jobs.endAll("a");
    expect(jobs.runs("report")).toMatchObject([{ number: 1, cause: "after", state: "running" }]);
    jobs.endAll("report");
    jobs.ask("a");
    jobs.endAll("a");
    expect(jobs.states("report"), "b has not run again").toEqual(["1 succeeded"]);
    jobs.ask("b");
    jobs.endAll("b");
    expect(jobs.states("report")).toEqual(["1 succeeded", "2 running"]);
  });

  test("does not follow a failure, and waits for its own run to end before it follows again", () => {
    const jobs = new Jobs();
    jobs.job("a");
    jobs.job("report", { after: ["a"] });
    jobs.end(jobs.live("a")[0], false);
    expect(jobs.runs("report")).toEqual([]);
    for (let turn = 0; turn < 2; turn++) {
      jobs.ask("a");
      jobs.endAll("a");
    }
    expect(jobs.states("report")).toEqual(["1 running"]);
    jobs.endAll("report");
    expect(jobs.states("report")).toEqual(["1 succeeded", "2 running"]);
  });
});

describe("the history", () => {
  test("keeps so many runs with their tasks, and takes the traces of older ones away", () => {
    const jobs = new Jobs();
    jobs.job("seed", { keptRuns: 2 });
    for (let turn = 0; turn < 4; turn++) {
      jobs.endAll("seed");
      jobs.agents();
      jobs.ask("seed");
    }
    jobs.endAll("seed");
    jobs.agents();
    jobs.rest();
    expect(jobs.states("seed")).toEqual(["4 succeeded", "5 succeeded"]);
    expect(jobs.tasks("seed").map((task) => task.run)).toEqual([4, 5]);
  });

  test("of a removed job goes with it", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    jobs.state.service.delete("seed");
    for (let turn = 0; turn < 4; turn++) {
      jobs.rest();
      jobs.agents();
    }
    jobs.rest();
    expect([jobs.runs("seed").length, jobs.state.job.size, jobs.tasks("seed").length]).toEqual([0, 0, 0]);
  });
});
