// Jobs in the plan: when a run is made, what it makes, how it ends, and what is kept of it.

import { describe, expect, test } from "vitest";
import { Jobs, MINUTE_MS, ONCE } from "./jobs-model.ts";

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

  test("may go on on a node that drains with a deadline, until then", () => {
    const jobs = new Jobs();
    jobs.job("seed");
    const [first] = jobs.live("seed");
    jobs.agents();
    const node = jobs.state.node.get(first?.nodeId ?? "");
    if (node === undefined) expect.fail("the run has no node");
    jobs.state.node.set(node.id, { ...node, availability: "drain", drainUntilMs: jobs.nowMs + MINUTE_MS });
    jobs.pass(MINUTE_MS - 1);
    expect(jobs.live("seed").map(({ id }) => id)).toEqual([first?.id]);
    jobs.pass(1);
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

  test("is held to the time that it began with, though its job is changed to have none", () => {
    const jobs = new Jobs();
    jobs.job("seed", { timeoutMs: MINUTE_MS });
    jobs.job("seed", { timeoutMs: 0 });
    jobs.pass(MINUTE_MS);
    expect(jobs.runs("seed")).toMatchObject([{ state: "failed", message: "it took longer than 60 s" }]);
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

  test("that is suspended meanwhile does not follow what succeeded then", () => {
    const jobs = new Jobs();
    jobs.job("a");
    jobs.job("report", { after: ["a"] });
    jobs.suspend("report", true);
    jobs.endAll("a");
    expect(jobs.runs("report")).toEqual([]);
    jobs.suspend("report", false);
    expect(jobs.runs("report"), "what passed meanwhile is not run").toEqual([]);
    jobs.ask("a");
    jobs.endAll("a");
    expect(jobs.states("report")).toEqual(["1 running"]);
  });

  test("that is to follow one more follows only what that one does from then on", () => {
    const jobs = new Jobs();
    jobs.job("a");
    jobs.job("b");
    jobs.job("report", { after: ["a"] });
    jobs.endAll("b");
    jobs.job("report", { after: ["a", "b"] });
    jobs.endAll("a");
    expect(jobs.runs("report"), "b succeeded before it was followed").toEqual([]);
    jobs.ask("b");
    jobs.endAll("b");
    expect(jobs.states("report"), "a has succeeded since it was followed").toEqual(["1 running"]);
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
