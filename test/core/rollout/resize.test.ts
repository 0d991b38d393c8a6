// A change of limits and reservations alone: in place where node and engine have room for it, as any other update where not.

import { describe, expect, test } from "vitest";
import type { ResourceSpec, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../../src/core/model/update-policy.ts";
import { canResize } from "../../../src/core/rollout/resize.ts";
import { progressView } from "../../../src/api/views/progress.ts";
import { template, type WorldModel } from "../../fakes/world-model.ts";
import { expectRest, nodes, replicated } from "../schedule/placing.ts";

function sized(cpus: number, memoryBytes = 0, reservedCpus = 0, image = "web:v1"): TaskTemplate {
  const resources: ResourceSpec = {
    limits: { cpus, memoryBytes, pids: 0 },
    reservations: { cpus: reservedCpus, memoryBytes: 0, generic: {} },
  };
  return template({ image, resources });
}

function running(from: TaskTemplate, count = 2, update: Partial<UpdatePolicy> = {}): WorldModel {
  const world = nodes(2);
  world.deploy("web", replicated(count), from, update);
  world.run(15_000);
  return world;
}

function ids(world: WorldModel): readonly string[] {
  return world
    .live("web")
    .map(({ id }) => id)
    .sort();
}

describe("a change of limits", () => {
  test("keeps every task, one at a time, and ends as any other update", () => {
    const world = running(sized(0.5, 1_000), 3);
    const before = ids(world);
    world.deploy("web", replicated(3), sized(1, 2_000));
    world.rest();
    expect(world.live("web").filter(({ specVersion }) => specVersion === 2)).toHaveLength(1);
    expect(progressView(world.world(), "web", false)).toMatchObject({ done: false, updated: 0, healthy: 3 });
    world.run(20_000);
    expect(ids(world)).toEqual(before);
    expect(world.live("web").map(({ specVersion }) => specVersion)).toEqual([2, 2, 2]);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expect(progressView(world.world(), "web", false)).toMatchObject({ done: true, ok: true, updated: 3 });
    expectRest(world);
  });

  test("goes back in place too", () => {
    const world = running(sized(0.5));
    const before = ids(world);
    world.deploy("web", replicated(2), sized(1));
    world.run(20_000);
    const service = world.state.service.get("web");
    if (service === undefined) expect.fail("no service");
    world.state.service.set("web", { ...service, version: 1, previousVersion: 2, isRollback: true });
    world.run(20_000);
    expect(ids(world)).toEqual(before);
    expect(world.live("web").map(({ specVersion }) => specVersion)).toEqual([1, 1]);
    expect(world.state.rollout.get("web")?.state).toBe("rolled_back");
    expectRest(world);
  });

  test("that its node has no room for moves the task, as an update does", () => {
    const world = nodes(2);
    world.deploy("base", replicated(2), sized(0, 0, 2, "base:1"));
    world.deploy("web", replicated(2), sized(0.5, 0, 1));
    world.run(15_000);
    world.node("n3");
    const before = ids(world);
    world.deploy("web", replicated(2), sized(0.5, 0, 3), { order: "start-first" });
    world.run(30_000);
    expect(world.live("web").filter(({ id }) => before.includes(id))).toHaveLength(1);
    expect(world.running("web").some(({ nodeId }) => nodeId === "n3")).toBe(true);
    const waiting = world.live("web").filter(({ nodeId }) => nodeId === undefined);
    expect(waiting.every(({ waiting: reason }) => reason !== undefined)).toBe(true);
    expectRest(world);
  });

  test("never reserves more on a node than there is, though several of its tasks grow at once", () => {
    const world = nodes(1);
    world.deploy("web", replicated(4), sized(0.5, 0, 0.9), { parallelism: 0 });
    world.run(15_000);
    world.deploy("web", replicated(4), sized(0.5, 0, 1.1), { parallelism: 0 });
    world.rest();
    const reserved = world
      .live("web")
      .filter(({ nodeId }) => nodeId !== undefined)
      .reduce((sum, { specVersion }) => sum + (specVersion === 2 ? 1.1 : 0.9), 0);
    expect(reserved).toBeLessThanOrEqual(4);
    world.run(30_000);
    expectRest(world);
  });

  test("to less gives its room away only once the container has it", () => {
    const world = nodes(1);
    world.deploy("web", replicated(1), sized(0.5, 0, 3));
    world.run(15_000);
    world.deploy("web", replicated(1), sized(0.6, 0, 1));
    world.deploy("other", replicated(1), sized(0.5, 0, 2, "other:1"));
    world.rest();
    expect(world.live("web").map(({ specVersion }) => specVersion)).toEqual([2]);
    expect(world.live("other").map(({ waiting }) => waiting)).toEqual(["1 node lacks 2 CPUs free"]);
    world.run(5_000);
    expect(world.running("other")).toHaveLength(1);
    world.run(15_000);
    expectRest(world);
  });

  test("that the engine refuses is made by a new task, within the policy", () => {
    const world = running(sized(0.5), 2);
    world.rigid.add("web:v1");
    const before = ids(world);
    world.deploy("web", replicated(2), sized(1));
    world.run(30_000);
    expect(world.live("web").filter(({ id }) => before.includes(id))).toEqual([]);
    expect(
      world.told.some((line) => line.includes("updates from version 1: its limits could not be changed in place")),
    ).toBe(true);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expectRest(world);
  });

  test("that a task does not bear pauses the update; what failed before it does not count", () => {
    const world = running(sized(0.5, 1_000), 3);
    for (const task of world.live("web")) world.status(task.id, { attempt: 2, healthy: true });
    world.deploy("web", replicated(3), sized(0.5, 10));
    world.run(1_000);
    expect(world.state.rollout.get("web")?.state).toBe("updating");
    const changed = world.live("web").find(({ specVersion }) => specVersion === 2);
    if (changed === undefined) expect.fail("none was changed");
    world.status(changed.id, {
      state: "failed",
      reason: "out of memory: its limit is 10 B",
      attempt: 2,
      exitCode: 137,
    });
    world.rest();
    expect(world.state.rollout.get("web")).toMatchObject({
      state: "paused",
      message: expect.stringContaining("out of memory"),
    });
    expectRest(world);
  });

  test("with another image is no change in place, nor is a limit that goes away", () => {
    expect(canResize(sized(0.5), sized(1))).toBe(true);
    expect(canResize(sized(0), sized(1))).toBe(true);
    expect(canResize(sized(1), sized(0))).toBe(false);
    expect(canResize(sized(0.5, 100), sized(0.5, 0))).toBe(false);
    expect(canResize(sized(0.5), sized(1, 0, 0, "web:v2"))).toBe(false);
    const quota = sized(0);
    const withQuota = { ...quota, container: { ...quota.container, runtime: { cpuQuotaUs: 50_000 } } };
    expect(canResize(withQuota, { ...withQuota, resources: sized(1).resources })).toBe(false);
  });
});
