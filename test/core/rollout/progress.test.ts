// Pauses by hand, the progress deadline, and parallelism in percent. Each test ends with a plan that has nothing left to do.

import { describe, expect, test } from "vitest";
import { template } from "../../fakes/world-model.ts";
import { CANARY, expectAtRest, four, GREEN, of, rollout, running, trying } from "./trying.ts";

describe("a rollout that somebody pauses", () => {
  test("begins nothing more, counts no time, and goes on where it was", () => {
    const world = running();
    world.deploy("web", four, template({ image: "web:v2" }), { progressDeadlineMs: 30_000 });
    world.run(2_000);
    world.wish("web", "pause");
    world.run(3_000);
    const changed = of(world, 2).length;
    expect(rollout(world)).toMatchObject({ state: "paused", message: "paused by hand while it was updating" });
    world.run(100_000);
    expect(of(world, 2).length).toBe(changed);
    expectAtRest(world);
    world.wish("web", "resume");
    world.run(20_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("keeps an old set for as long as was asked, the pause apart", () => {
    const world = trying(GREEN);
    world.wish("web", "pause");
    world.run(200_000);
    expect([of(world, 1).length, of(world, 2).length]).toEqual([4, 4]);
    world.wish("web", "resume");
    world.run(30_000);
    expect(rollout(world).state).toBe("switched");
    world.run(60_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("while canaries are tried does not promote them, and the wait begins anew", () => {
    const world = trying({ ...CANARY, holdMs: 20_000 });
    world.run(10_000);
    world.wish("web", "pause");
    world.run(60_000);
    expect(rollout(world).state).toBe("paused");
    expect(of(world, 1).length).toBe(4);
    world.wish("web", "resume");
    world.run(15_000);
    expect(rollout(world).state).toBe("trial");
    world.run(40_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });
});

describe("a rollout without progress", () => {
  test("ends by its deadline and says for what it waited", () => {
    const world = running();
    world.deploy("web", four, template({ image: "web:v2" }), { progressDeadlineMs: 30_000 });
    world.run(1_500);
    const [first] = of(world, 2);
    if (first === undefined) expect.fail("no new task");
    world.run(35_000, () => world.status(first.id, { state: "preparing", reason: "pulling web:v2" }));
    expect(rollout(world)).toMatchObject({
      state: "paused",
      message: `paused: no progress for 30 s: it waited for web.1 on ${first.nodeId} to become healthy; it is preparing: pulling web:v2`,
    });
  });

  test("goes back by itself where its policy says so, on trial too", () => {
    for (const strategy of [CANARY, GREEN]) {
      const world = running();
      const constraints = [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] as const;
      const onSsd = template({
        image: "web:v2",
        placement: { constraints, spreadOver: [], maxPerNode: 0, platforms: [] },
      });
      world.deploy("web", four, onSsd, { strategy, failureAction: "rollback", progressDeadlineMs: 30_000 });
      world.run(40_000);
      expect(rollout(world)).toMatchObject({ state: "rolled_back" });
      expect(rollout(world).message).toMatch(/no progress for 30 s: it waited for a node for web.\d \(3 nodes lack/);
      expect(of(world, 1).length).toBe(4);
      expectAtRest(world);
    }
  });

  test("that is told to go on gets all of its time again", () => {
    const world = running();
    world.deploy("web", four, template({ image: "web:v2" }), { progressDeadlineMs: 30_000 });
    world.run(1_500);
    const [first] = of(world, 2);
    if (first === undefined) expect.fail("no new task");
    const stuck = (): void => world.status(first.id, { state: "preparing", reason: "" });
    world.run(60_000, stuck);
    world.wish("web", "resume");
    world.run(25_000, stuck);
    expect(rollout(world).state).toBe("updating");
    world.run(10_000, stuck);
    expect(rollout(world).state).toBe("paused");
  });

  test("that something else holds up longer than its deadline has all of its time once it may go on", () => {
    const world = running();
    const dependsOn = [{ service: "db", condition: "service_healthy", required: true, restart: false }] as const;
    world.deploy("db", { kind: "replicated", replicas: 1 }, template({ image: "db:1" }));
    world.run(12_000);
    const late = { strategy: { ...CANARY, holdMs: 1_000 }, progressDeadlineMs: 30_000 } as const;
    world.deploy("db", { kind: "replicated", replicas: 1 }, template({ image: "db:2", settleMs: 45_000 }));
    world.deploy("web", four, template({ image: "web:v2" }), late, {}, dependsOn);
    world.run(40_000);
    expect(rollout(world)).toMatchObject({ state: "trial", isHeld: true });
    world.run(60_000);
    expect(rollout(world).state).toBe("completed");
    expectAtRest(world);
  });

  test("on trial has all of its time again when its policy is changed", () => {
    const world = running();
    const update = { strategy: CANARY, progressDeadlineMs: 30_000 } as const;
    world.deploy("web", four, template({ image: "web:v2" }), update);
    world.run(1_500);
    const stuck = (): void => {
      for (const task of of(world, 2)) world.status(task.id, { state: "preparing", reason: "" });
    };
    world.run(25_000, stuck);
    world.deploy("web", four, template({ image: "web:v2" }), { ...update, delayMs: 1_000 });
    const again = (): void => {
      for (const task of [...of(world, 2), ...of(world, 3)]) world.status(task.id, { state: "preparing", reason: "" });
    };
    world.run(20_000, again);
    expect(rollout(world).state).toBe("trial");
    world.run(15_000, again);
    expect(rollout(world).state).toBe("paused");
  });

  test("waits for nothing while its canaries are healthy, however long nobody promotes them", () => {
    const world = trying(CANARY, { progressDeadlineMs: 30_000 });
    world.run(120_000);
    expect(rollout(world).state).toBe("trial");
    expectAtRest(world);
  });
});

describe("parallelism in percent", () => {
  test("changes that part of the tasks at once, rounded down, and one at least", () => {
    const world = running();
    world.scale("web", 10);
    world.run(5_000);
    for (const [parallelismPercent, atOnce] of [
      [25, 2],
      [1, 1],
      [100, 10],
    ] as const) {
      const version = (world.state.service.get("web")?.version ?? 0) + 1;
      world.deploy("web", { kind: "replicated", replicas: 10 }, template({ image: `web:v${version}` }), {
        parallelismPercent,
      });
      world.rest();
      expect(of(world, version).length).toBe(atOnce);
      world.run(60_000);
    }
    expectAtRest(world);
  });
});
