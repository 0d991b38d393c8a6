// Changes whose new tasks are tried beside the old ones: canaries and blue-green. Each test ends with a plan that has nothing left to do.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";
import { CANARY, expectAtRest, four, GREEN, ids, of, rollout, running, trying, weights } from "./trying.ts";

describe("canaries", () => {
  test("run beside the old tasks, with the weight that was asked for, until somebody promotes them", () => {
    const world = running();
    const before = ids(world.live("web"));
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: CANARY });
    world.run(30_000, () => expect(ids(of(world, 1))).toEqual(before));
    expect(weights(world, 2)).toEqual([10]);
    expect(weights(world, 1)).toEqual([100, 100, 100, 100]);
    expect(rollout(world)).toMatchObject({
      state: "trial",
      message: "the new task is healthy; it waits to be promoted",
    });
    expectAtRest(world);
    world.wish("web", "promote");
    world.run(20_000);
    expect(weights(world, 2)).toEqual([100, 100, 100, 100]);
    expect(of(world, 1)).toEqual([]);
    expect(rollout(world)).toMatchObject({ state: "completed", message: "the new version is stable" });
    expect(world.state.serviceVersion.get("web/2")).toMatchObject({ stable: true, outcome: { state: "completed" } });
    expectAtRest(world);
  });

  test("are promoted by themselves once they have been healthy for the time that was asked for", () => {
    const world = trying({ ...CANARY, holdMs: 20_000 });
    const sinceMs = rollout(world).healthySinceMs ?? expect.fail("not healthy");
    world.run(sinceMs + 20_000 - world.nowMs - 500);
    expect(rollout(world).state).toBe("trial");
    world.run(30_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("that are not healthy all the time begin their wait anew", () => {
    const world = trying({ ...CANARY, holdMs: 20_000 });
    world.run(15_000);
    const [canary] = of(world, 2);
    if (canary?.nodeId === undefined) expect.fail("no canary");
    world.lose(canary.nodeId);
    world.run(1_000);
    const again = of(world, 2).filter((task) => task.id !== canary.id);
    expect(again.length).toBe(1);
    world.run(10_000);
    expect(rollout(world).state).toBe("trial");
    world.run(15_000);
    expect(rollout(world).state).not.toBe("trial");
    world.comeBack(canary.nodeId);
    world.run(90_000);
    expect(world.running("web").map((task) => task.specVersion)).toEqual([2, 2, 2, 2]);
    expectAtRest(world);
  });

  test("that fail send the service back by itself, and no old task is touched", () => {
    const world = running();
    const before = ids(world.live("web"));
    world.broken.add("web:v2");
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: CANARY, failureAction: "rollback" });
    world.run(20_000);
    expect(ids(world.live("web"))).toEqual(before);
    expect(rollout(world).state).toBe("rolled_back");
    expect(world.state.serviceVersion.get("web/2")?.outcome?.message).toMatch(/version 2 failed: web.1 on n\d: exit/);
    expectAtRest(world);
  });

  test("that fail pause the rollout where that is asked for, and are made no more", () => {
    const world = running();
    const before = ids(world.live("web"));
    world.broken.add("web:v2");
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: CANARY });
    world.run(5_000);
    expect(rollout(world).state).toBe("paused");
    for (const task of of(world, 2)) world.status(task.id, { exhausted: true });
    world.run(20_000);
    expect(ids(world.live("web"))).toEqual(before);
    expectAtRest(world);
    world.broken.clear();
    world.wish("web", "resume");
    world.run(5_000);
    expect(rollout(world).state).toBe("trial");
    expect(of(world, 2).length).toBe(1);
    expectAtRest(world);
  });

  test("are given up without a new task when somebody goes back", () => {
    const world = trying(CANARY);
    const before = ids(of(world, 1));
    const told = world.told.length;
    world.goBack("web", 1);
    world.run(20_000);
    expect(ids(world.live("web"))).toEqual(before);
    expect(world.told.slice(told).filter((line) => line.startsWith("create"))).toEqual([]);
    expect(rollout(world).state).toBe("rolled_back");
    expectAtRest(world);
  });

  test("of a change that another takes over from go, and the next one tries its own beside the same old tasks", () => {
    const world = trying(CANARY);
    const before = ids(of(world, 1));
    world.deploy("web", four, template({ image: "web:v3" }), { strategy: CANARY });
    world.run(10_000, () => expect(ids(of(world, 1))).toEqual(before));
    expect(of(world, 2)).toEqual([]);
    expect(of(world, 3).length).toBe(1);
    expect(rollout(world)).toMatchObject({ state: "trial", fromVersion: 1, toVersion: 3 });
    expect(world.state.serviceVersion.get("web/2")?.outcome?.state).toBe("superseded");
    expectAtRest(world);
  });

  test("stay on trial when a change in between leaves the tasks as they are, and go on in batches when it drops the trial", () => {
    const world = trying(CANARY);
    const canaries = ids(of(world, 2));
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: { ...CANARY, weight: 50 } });
    world.run(5_000);
    expect(ids(of(world, 2))).toEqual(canaries);
    expect(rollout(world)).toMatchObject({ state: "trial", toVersion: 3 });
    expect(weights(world, 2)).toEqual([50]);
    expectAtRest(world);
    world.deploy("web", four, template({ image: "web:v2" }));
    world.run(30_000);
    expect(of(world, 1)).toEqual([]);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("a slot that is added or whose node is lost while they are tried gets the old version", () => {
    const world = trying(CANARY);
    world.scale("web", 6);
    world.run(3_000);
    expect(of(world, 1).length).toBe(6);
    expect(of(world, 2).length).toBe(1);
    const lost = of(world, 1).find((task) => task.nodeId !== of(world, 2)[0]?.nodeId)?.nodeId;
    world.lose(lost ?? asId("n1"));
    world.run(90_000);
    expect(world.running("web").filter((task) => task.specVersion === 1).length).toBe(6);
    expectAtRest(world);
  });

  test("move off a draining node like any task", () => {
    const world = trying(CANARY);
    const [canary] = of(world, 2);
    if (canary?.nodeId === undefined) expect.fail("no canary");
    world.availability(canary.nodeId, "drain");
    world.run(15_000);
    expect(world.live("web").every((task) => task.nodeId !== canary.nodeId)).toBe(true);
    expect([of(world, 1).length, of(world, 2).length]).toEqual([4, 1]);
    expect(rollout(world).state).toBe("trial");
    expectAtRest(world);
  });

  test("of a service on every node run beside the old task of some nodes", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    world.deploy("web", { kind: "global" }, template());
    world.run(12_000);
    world.deploy("web", { kind: "global" }, template({ image: "web:v2" }), {
      strategy: { kind: "canary", canaries: { tasks: 2 }, weight: 100, holdMs: 5_000 },
    });
    world.run(3_000);
    expect([of(world, 1).length, of(world, 2).length]).toEqual([3, 2]);
    world.run(30_000);
    expect([of(world, 1).length, of(world, 2).length]).toEqual([0, 3]);
    expectAtRest(world);
  });

  test("are not for a first deploy, a rollback, or a service made anew by force", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", four, template(), { strategy: CANARY });
    world.run(12_000);
    expect(rollout(world).state).toBe("completed");
    const service = world.state.service.get("web") ?? expect.fail("no service");
    world.state.service.set("web", { ...service, force: 1 });
    world.run(20_000, () => expect(rollout(world).state).not.toBe("trial"));
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });
});

describe("a blue-green change", () => {
  test("whose old set was kept for longer than its deadline has all of that time to get on", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    const one = { kind: "replicated", replicas: 1 } as const;
    world.deploy("web", one, template());
    world.run(12_000);
    world.deploy("web", one, template({ image: "web:v2" }), { strategy: GREEN, progressDeadlineMs: 20_000 });
    world.run(3_000);
    expect(rollout(world).state).toBe("switched");
    world.run(50_000);
    // the new one's node is gone just before the old one goes, and no other takes it
    const home = of(world, 2)[0]?.nodeId ?? expect.fail("it is on no node");
    const others = (["n1", "n2", "n3"] as const).map((name) => asId<"node">(name)).filter((id) => id !== home);
    for (const id of others) world.availability(id, "pause");
    world.lose(home);
    world.run(20_000);
    expect(rollout(world)).toMatchObject({ state: "updating", message: "the old tasks are not kept any longer" });
    for (const id of others) world.availability(id, "active");
    world.run(30_000);
    expect(rollout(world)).toMatchObject({ state: "completed", message: "the new version is stable" });
  });

  test("starts a whole set that gets nothing, switches at once, keeps the old one for a while, and ends", () => {
    const world = running();
    const before = ids(world.live("web"));
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: GREEN });
    world.rest();
    expect(weights(world, 2)).toEqual([0, 0, 0, 0]);
    world.run(3_000, () => {
      const serving = world.live("web").filter((task) => task.weight > 0);
      expect(new Set(serving.map((task) => task.specVersion)).size).toBe(1);
      expect(serving.length).toBe(4);
    });
    expect(rollout(world).state).toBe("switched");
    expect([weights(world, 1), weights(world, 2)]).toEqual([
      [0, 0, 0, 0],
      [100, 100, 100, 100],
    ]);
    expect(ids(of(world, 1))).toEqual(before);
    world.run(70_000);
    expect(of(world, 1)).toEqual([]);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("goes back at once while the old set is kept, by hand or by a failure, and starts nothing", () => {
    for (const isByHand of [true, false]) {
      const world = running();
      const before = ids(world.live("web"));
      world.deploy("web", four, template({ image: "web:v2" }), { strategy: GREEN, failureAction: "rollback" });
      world.run(3_000);
      expect(rollout(world).state).toBe("switched");
      const told = world.told.length;
      const [one] = of(world, 2);
      if (isByHand) world.goBack("web", 1);
      else if (one !== undefined) world.status(one.id, { state: "failed", reason: "exit code 1" });
      world.rest();
      expect(weights(world, 1)).toEqual([100, 100, 100, 100]);
      expect(of(world, 2)).toEqual([]);
      world.run(10_000);
      expect(ids(world.live("web"))).toEqual(before);
      expect(world.told.slice(told).filter((line) => line.startsWith("create"))).toEqual([]);
      expect(rollout(world).state).toBe("rolled_back");
      expectAtRest(world);
    }
  });

  test("that has no room says so, keeps the old set as it is, and ends by its deadline", () => {
    const resources = {
      limits: { cpus: 0, memoryBytes: 0, pids: 0 },
      reservations: { cpus: 2, memoryBytes: 0, generic: {} },
    };
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    world.deploy("web", four, template({ resources }));
    world.run(12_000);
    const before = ids(world.live("web"));
    const update = { strategy: GREEN, progressDeadlineMs: 60_000 };
    world.deploy("web", four, template({ image: "web:v2", resources }), update);
    world.run(20_000);
    expect(of(world, 2).filter((task) => task.nodeId === undefined)).toMatchObject([
      { waiting: "3 nodes lack 2 CPUs free" },
      { waiting: "3 nodes lack 2 CPUs free" },
    ]);
    world.run(60_000);
    expect(rollout(world).message).toMatch(/^paused: no progress for 60 s: it waited for a node for web/);
    expect(ids(of(world, 1))).toEqual(before);
    expectAtRest(world);
  });

  test("does not switch while one of the new set is not healthy", () => {
    const world = running();
    world.deploy("web", four, template({ image: "web:v2" }), { strategy: GREEN });
    world.rest();
    const [one] = of(world, 2);
    if (one === undefined) expect.fail("no new task");
    world.run(10_000, () => world.status(one.id, { state: "starting" }));
    expect(rollout(world)).toMatchObject({ state: "trial", progress: { done: 3, of: 4 } });
    expect(weights(world, 1)).toEqual([100, 100, 100, 100]);
    world.status(one.id, { state: "running", healthy: true });
    world.run(1_000);
    expect(rollout(world).state).toBe("switched");
  });

  test("that waits to be promoted does so before it switches, and a second request lets the old set go", () => {
    const world = trying({ kind: "blue-green", keepMs: 3_600_000 });
    world.run(20_000);
    expect(rollout(world).state).toBe("trial");
    world.wish("web", "promote");
    world.run(20_000);
    expect(rollout(world).state).toBe("switched");
    world.wish("web", "promote");
    world.run(20_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("that another change takes over from after the switch stays what serves, and the oldest set goes", () => {
    const world = trying(GREEN);
    const green = ids(of(world, 2));
    world.deploy("web", four, template({ image: "web:v3" }), { strategy: GREEN });
    world.rest();
    expect(of(world, 1)).toEqual([]);
    expect(ids(of(world, 2))).toEqual(green);
    expect(weights(world, 2)).toEqual([100, 100, 100, 100]);
    expect(rollout(world)).toMatchObject({ state: "trial", fromVersion: 2 });
    world.run(80_000);
    expect(of(world, 3).length).toBe(4);
    expect(world.live("web").length).toBe(4);
    expectAtRest(world);
  });
});
