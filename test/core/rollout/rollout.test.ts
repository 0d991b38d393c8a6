// What a rollout does when things do not go as planned; each test ends with a plan that has nothing left to do.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { updateStatusOf } from "../../../src/core/rollout/rollout.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";
import { ON_SSD, running, three, versions } from "./changing.ts";

function stateOf(world: WorldModel): string | undefined {
  return world.state.rollout.get("web")?.state;
}

describe("a first deploy", () => {
  test("has no update status, and becomes stable once watched", () => {
    const world = running();
    expect(updateStatusOf(world.state.rollout.get("web"))).toBeUndefined();
    expect(world.state.serviceVersion.get("web/1")?.stable).toBe(true);
    expect(world.plan()).toEqual([]);
  });

  test("of a broken image keeps trying and becomes healthy once the image is mended", () => {
    const world = new WorldModel();
    world.node("n1");
    world.broken.add("web:v1");
    world.deploy("web", three, template());
    world.run(20_000);
    expect(stateOf(world)).toBe("updating");
    world.broken.clear();
    world.run(20_000);
    expect(stateOf(world)).toBe("completed");
    expect(world.plan()).toEqual([]);
  });
});

describe("a failed version", () => {
  test("gets no further task: a slot that must be filled while paused gets the version from before", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }), { parallelism: 2 });
    world.rest();
    world.broken.add("web:v2");
    world.run(5_000);
    expect(stateOf(world)).toBe("paused");
    for (const task of world.live("web")) if (task.specVersion === 2) world.status(task.id, { exhausted: true });
    world.run(20_000);
    expect(versions(world)).toEqual([1, 1, 1]);
    expect(stateOf(world)).toBe("paused");
    expect(world.plan()).toEqual([]);
  });

  test("is left behind by a drained node too, without flapping", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }));
    world.run(1_000);
    world.broken.add("web:v2");
    world.run(15_000);
    expect(stateOf(world)).toBe("paused");
    const failed = world.live("web").find((task) => task.specVersion === 2);
    world.availability(failed?.nodeId ?? asId("n1"), "drain");
    world.run(10_000);
    expect(world.running("web").every((task) => task.nodeId !== failed?.nodeId)).toBe(true);
    expect(world.plan()).toEqual([]);
  });

  test("goes back to the last stable version, not to one that was never stable", () => {
    const world = running();
    for (const image of ["web:v2", "web:v3"]) world.broken.add(image);
    world.deploy("web", three, template({ image: "web:v2" }));
    world.run(3_000);
    world.deploy("web", three, template({ image: "web:v3" }), { failureAction: "rollback" });
    world.run(30_000);
    expect(world.state.service.get("web")?.version).toBe(1);
    expect(stateOf(world)).toBe("rolled_back");
    expect(updateStatusOf(world.state.rollout.get("web"))?.state).toBe("rollback_completed");
    expect(versions(world)).toEqual([1, 1, 1]);
    expect(world.plan()).toEqual([]);
  });

  test("a rollback that fails pauses and is never rolled back itself", () => {
    const world = running();
    world.broken.add("web:v2").add("web:v1");
    world.deploy("web", three, template({ image: "web:v2" }), { failureAction: "rollback", parallelism: 0 });
    world.run(30_000);
    expect(stateOf(world)).toBe("rollback_paused");
    expect(world.told.filter((line) => line.startsWith("roll web back")).length).toBe(1);
    expect(world.plan()).toEqual([]);
  });

  test("a reboot while a new version is watched is no failure of it", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }), { failureAction: "rollback", parallelism: 0 });
    world.run(4_000);
    expect(stateOf(world)).toBe("watching");
    const [task] = world.running("web");
    if (task === undefined) expect.fail("no task");
    world.status(task.id, { state: "failed", reason: "the host rebooted", interrupted: 1 });
    world.rest();
    world.status(task.id, { state: "running", attempt: 2, reason: "", interrupted: 1, healthy: true });
    world.run(10_000);
    expect(stateOf(world)).toBe("completed");
    expect(world.plan()).toEqual([]);
  });

  test("a service made anew by force has nothing better to go back to: it pauses", () => {
    const world = running();
    const service = world.state.service.get("web");
    if (service === undefined) expect.fail("no service");
    world.deploy("web", three, template({ image: "web:v2" }), { failureAction: "rollback" });
    world.run(30_000);
    const updated = world.state.service.get("web") ?? service;
    world.broken.add("web:v2");
    world.state.service.set("web", { ...updated, force: updated.force + 1 });
    world.run(20_000);
    expect(stateOf(world)).toBe("paused");
    expect(world.state.service.get("web")?.version).toBe(2);
    expect(versions(world)).toEqual([2, 2]);
    expect(world.plan()).toEqual([]);
  });
});

describe("failures that the policy bears", () => {
  test("do not hold up the rest, and the rollout ends", () => {
    const world = running({ kind: "replicated", replicas: 4 });
    world.deploy("web", { kind: "replicated", replicas: 4 }, template({ image: "web:v2" }), { maxFailureRatio: 0.3 });
    world.run(1_500);
    const [first] = world.live("web").filter((task) => task.specVersion === 2);
    if (first === undefined) expect.fail("no task of the new version");
    world.status(first.id, { state: "failed", reason: "exit code 1", exitCode: 1 });
    world.run(30_000);
    expect(versions(world)).toEqual([2, 2, 2, 2]);
    expect(stateOf(world)).toBe("completed");
    expect(world.plan()).toEqual([]);
  });

  test("failure action continue goes through all of them and says how many are not healthy", () => {
    const world = running();
    world.broken.add("web:v2");
    world.deploy("web", three, template({ image: "web:v2" }), { failureAction: "continue" });
    world.run(30_000);
    expect(stateOf(world)).toBe("completed");
    expect(world.state.rollout.get("web")?.message).toBe("3 of 3 tasks are not healthy");
    expect(world.state.serviceVersion.get("web/2")?.stable).toBe(false);
    expect(world.plan()).toEqual([]);
  });
});

describe("what a rollout does not break", () => {
  test("a version that fits nowhere stops nothing, and goes on once it fits", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2", placement: ON_SSD }));
    world.run(10_000, () => expect(world.running("web").length).toBe(3));
    expect(world.live("web").find((task) => task.specVersion === 2)?.waiting).toBe("3 nodes lack label disk=ssd");
    world.node("n4", { disk: "ssd" });
    world.run(40_000);
    expect(versions(world)).toEqual([2, 2, 2]);
    expect(world.running("web").every((task) => task.nodeId === "n4")).toBe(true);
    expect(world.plan()).toEqual([]);
  });

  test("an update leaves the service spread as evenly as it found it", () => {
    for (const order of ["start-first", "stop-first"] as const) {
      const world = running();
      world.deploy("web", three, template({ image: "web:v2" }), { order });
      world.run(20_000);
      expect(versions(world)).toEqual([2, 2, 2]);
      expect(new Set(world.running("web").map((task) => task.nodeId)).size).toBe(3);
      expect(world.plan()).toEqual([]);
    }
  });

  test("unhealthy tasks are replaced first, and no healthy one is stopped while too few are left", () => {
    const world = running();
    const [sick] = world.running("web");
    if (sick === undefined) expect.fail("no task");
    world.status(sick.id, { healthy: false });
    world.deploy("web", three, template({ image: "web:v2" }));
    world.rest();
    expect(
      world
        .live("web")
        .filter((task) => task.specVersion === 2)
        .map((task) => task.slot),
    ).toEqual([sick.slot]);
    world.run(20_000);
    expect(versions(world)).toEqual([2, 2, 2]);
    expect(world.plan()).toEqual([]);
  });

  test("a new change in the middle of a rollout takes over from it", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }));
    world.run(2_000);
    world.deploy("web", three, template({ image: "web:v3" }));
    world.run(20_000);
    expect(versions(world)).toEqual([3, 3, 3]);
    expect(world.state.rollout.get("web")).toMatchObject({ state: "completed", fromVersion: 2, toVersion: 3 });
    expect(world.plan()).toEqual([]);
  });
});

describe("nodes that were away", () => {
  test("a global service does not wait for a node that is down, and updates it when it is back", () => {
    const world = running({ kind: "global" });
    world.lose(asId("n2"));
    world.deploy("web", { kind: "global" }, template({ image: "web:v2" }));
    world.run(20_000);
    expect(stateOf(world)).toBe("completed");
    world.comeBack(asId("n2"));
    world.run(10_000);
    expect(versions(world)).toEqual([2, 2, 2]);
    expect(world.plan()).toEqual([]);
  });

  test("an original of an older version goes when it comes back, however short its replacement has been there", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }), { parallelism: 0 });
    world.lose(asId("n2"));
    world.run(4_000);
    world.comeBack(asId("n2"));
    world.run(4_000);
    expect(versions(world)).toEqual([2, 2, 2]);
    expect(world.plan()).toEqual([]);
  });
});

describe("a task that fails beside the one it replaces", () => {
  test("holds up nobody when the policy bears it: the others change, and the rollout ends", () => {
    const world = running();
    world.deploy("web", three, template({ image: "web:v2" }), {
      order: "start-first",
      failureAction: "continue",
      parallelism: 1,
    });
    world.rest();
    const [first] = world.live("web").filter((task) => task.specVersion === 2);
    world.run(8_000, () => {
      if (first !== undefined) world.status(first.id, { state: "failed", reason: "exit code 1" });
    });
    expect(versions(world)).toEqual([1, 2, 2]);
    expect(stateOf(world)).toBe("completed");
    expect(world.plan()).toEqual([]);
  });
});

describe("slots that wait for another task of a failed older version", () => {
  test("are reached by the next change all the same, though one of them is always empty", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    world.broken.add("web:v1");
    const restart = { condition: "any", delayMs: 60_000, maxAttempts: 1, windowMs: 0 } as const;
    world.deploy("web", { kind: "replicated", replicas: 2 }, template({ restart }));
    world.run(1_000);
    for (const task of world.live("web")) world.status(task.id, { state: "failed", exhausted: true });
    world.run(1_000);
    expect(world.live("web")).toEqual([]);
    world.deploy("web", { kind: "replicated", replicas: 2 }, template({ image: "web:v2" }));
    world.run(20_000);
    expect(versions(world)).toEqual([2, 2]);
    expect(stateOf(world)).toBe("completed");
    expect(world.plan()).toEqual([]);
  });
});
