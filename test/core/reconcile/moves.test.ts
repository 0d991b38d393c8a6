// Tasks that move without a new version: drains within the update's limits and with a deadline, and rebalances.

import type { RebalanceView } from "../../../src/core/model/rebalance-views.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rebalance } from "../../../src/core/commands/rebalance.ts";
import { progressView } from "../../../src/api/views/progress.ts";
import { applyChanges } from "../../../src/core/model/world.ts";
import { isHealthy } from "../../../src/core/reconcile/health.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { template, UNTIL_DONE, type WorldModel } from "../../fakes/world-model.ts";
import { expectRest, nodeId, nodes, placesOf, placing, replicated } from "../schedule/placing.ts";

function rebalanced(world: WorldModel): Pick<RebalanceView, "moves" | "stays"> {
  const outcome = rebalance({ worldOf: (state) => ({ ...world.world(), state }) })(
    world.state,
    commandContext(world.nowMs),
  );
  applyChanges(world.state, outcome.changes);
  return outcome.result;
}

/** The fewest healthy tasks, and the most tasks that had neither ended nor were healthy, while time goes by. */
function watched(world: WorldModel, name: string, forMs: number): { fewest: number; most: number } {
  const seen = { fewest: Number.POSITIVE_INFINITY, most: 0 };
  world.run(forMs, () => {
    const now = world.world();
    const live = world.live(name);
    const healthy = live.filter((task) => isHealthy(now, task)).length;
    seen.fewest = Math.min(seen.fewest, healthy);
    seen.most = Math.max(seen.most, live.length - healthy);
  });
  return seen;
}

describe("draining", () => {
  test("moves as many tasks of a service at once as its updates may change, and says why the others stay", () => {
    const world = nodes(2);
    world.availability(nodeId("n2"), "pause");
    world.deploy("web", replicated(5), template(), { parallelism: 2 });
    world.run(10_000);
    world.availability(nodeId("n2"), "active");
    world.availability(nodeId("n1"), "drain");
    world.rest();
    expect(
      world
        .live("web")
        .filter(({ waiting }) => waiting !== undefined)
        .map(({ waiting }) => waiting),
    ).toEqual(Array(3).fill("n1 is draining; it moves later: 2 tasks of the service change at a time"));
    expect(watched(world, "web", 20_000)).toEqual({ fewest: 5, most: 2 });
    expect(placesOf(world, "web")).toEqual(Array(5).fill("n2"));
    expect(world.live("web").every(({ waiting }) => waiting === undefined)).toBe(true);
    expectRest(world);
  });

  test("is not held up by a replacement that does not work: what works stays, what does not goes on", () => {
    const world = nodes(2);
    world.availability(nodeId("n2"), "pause");
    world.deploy("web", replicated(3), template());
    world.run(10_000);
    world.availability(nodeId("n2"), "active");
    world.broken.add("web:v1");
    world.availability(nodeId("n1"), "drain");
    expect(watched(world, "web", 20_000).fewest).toBe(3);
    expect(world.live("web")).toHaveLength(6);
    world.broken.clear();
    world.run(60_000);
    expect(placesOf(world, "web")).toEqual(["n2", "n2", "n2"]);
    expectRest(world);
  });

  test("is not held up by a slot of which the newer task finds no node and the older one works", () => {
    const world = nodes(2);
    world.deploy("web", replicated(4), placing({ maxPerNode: 2 }), { order: "start-first" });
    world.run(10_000);
    world.lose(nodeId("n2"));
    world.run(2_000);
    // those of n2 have no place but that of their own node; back there, both of each slot are there until one is chosen
    world.comeBack(nodeId("n2"));
    world.node("n3");
    world.availability(nodeId("n3"), "pause");
    world.availability(nodeId("n1"), "drain");
    world.run(5_000);
    world.availability(nodeId("n3"), "active");
    world.run(20_000);
    expect(placesOf(world, "web").filter((name) => name === "n1")).toEqual([]);
    expectRest(world);
  });

  test("with a deadline keeps what fits nowhere until then, and ends it then, with what has no working replacement", () => {
    const world = nodes(2, (at) => (at === 1 ? { disk: "ssd" } : {}));
    const onSsd = placing({ constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] });
    world.deploy("store", replicated(2), onSsd);
    world.run(10_000);
    const node = world.state.node.get("n1");
    if (node === undefined) expect.fail("no node");
    world.state.node.set("n1", { ...node, availability: "drain", drainUntilMs: world.nowMs + 30_000 });
    world.run(25_000);
    expect(placesOf(world, "store")).toEqual(["n1", "n1"]);
    expect(world.wakeAtMs).toBe(world.state.node.get("n1")?.drainUntilMs ?? 0);
    world.run(10_000);
    expect(placesOf(world, "store")).toEqual([]);
    expect(world.live("store").map(({ waiting }) => waiting)).toEqual(
      Array(2).fill("1 node is draining; 1 node lacks label disk=ssd"),
    );
    expectRest(world);
  });

  test("waits for a slot of which the older task leaves with its node's time and the newer one has to go on", () => {
    const world = nodes(2);
    world.deploy("web", replicated(3), template({ settleMs: 20_000 }));
    world.run(90_000);
    const there = world.live("web");
    const staying = there.find((task) => there.filter(({ nodeId: id }) => id === task.nodeId).length === 1);
    if (staying?.nodeId === undefined) expect.fail("the tasks are not spread over both nodes");
    const crowded = staying.nodeId === nodeId("n1") ? "n2" : "n1";
    const drain = (name: string, forMs: number): void => {
      const node = world.state.node.get(name);
      if (node === undefined) expect.fail("no node");
      world.state.node.set(name, { ...node, availability: "drain", drainUntilMs: world.nowMs + forMs });
    };
    drain(crowded, 4_000);
    world.run(2_000);
    drain(staying.nodeId, 600_000);
    world.run(4_000);
    const onWay = world.live("web").filter(({ slot }) => slot !== staying.slot);
    expect(onWay.some((task) => task.nodeId === staying.nodeId && !isHealthy(world.world(), task))).toBe(true);
    expect(world.live("web").filter(({ slot }) => slot === staying.slot)).toHaveLength(1);
  });

  test("without a deadline ends what fits nowhere, one after the other", () => {
    const world = nodes(1);
    world.deploy("web", replicated(3), template());
    world.run(10_000);
    world.availability(nodeId("n1"), "drain");
    world.run(10_000);
    expect(placesOf(world, "web")).toEqual([]);
    expectRest(world);
  });

  test("a node that is activated again keeps what has not moved yet", () => {
    const world = nodes(2);
    world.availability(nodeId("n2"), "pause");
    world.deploy("web", replicated(4), template({ settleMs: 5_000 }));
    world.run(30_000);
    world.availability(nodeId("n2"), "active");
    world.availability(nodeId("n1"), "drain");
    world.run(2_000);
    world.availability(nodeId("n1"), "active");
    world.run(80_000);
    expect(placesOf(world, "web").filter((name) => name === "n1").length).toBeGreaterThanOrEqual(3);
    expect(world.live("web")).toHaveLength(4);
    expect(world.live("web").every(({ waiting }) => waiting === undefined)).toBe(true);
    expectRest(world);
  });
});

describe("a rebalance", () => {
  function crowded(update = {}): WorldModel {
    const world = nodes(2);
    world.availability(nodeId("n2"), "pause");
    world.deploy("web", replicated(4), template(), update);
    world.run(10_000);
    world.availability(nodeId("n2"), "active");
    return world;
  }

  test("moves one task after the other to the node that the plan says, never below health, and then finds nothing", () => {
    const world = crowded();
    const { moves } = rebalanced(world);
    expect(moves.map(({ task, from, to, why }) => [task, from, to, why])).toEqual([
      ["web.1", "n1", "n2", "tasks of the same version: 3 beside it on n1, 0 on n2"],
      ["web.2", "n1", "n2", "tasks of the same version: 3 beside it on n1, 0 on n2"],
    ]);
    expect(progressView(world.world(), "web", false)).toMatchObject({
      done: false,
      message: "2 tasks are still to move",
    });
    expect(watched(world, "web", 20_000)).toEqual({ fewest: 4, most: 1 });
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n2", "n2"]);
    expect(world.state.service.get("web")?.moves).toBeUndefined();
    expect(progressView(world.world(), "web", false)).toMatchObject({ done: true, ok: true });
    expect(rebalanced(world).moves).toEqual([]);
    expectRest(world);
  });

  test("evens out services of one task over a node that joined", () => {
    const world = nodes(1);
    for (const name of ["a", "b", "c", "d"]) world.deploy(name, replicated(1), template());
    world.run(10_000);
    world.node("n2");
    expect(rebalanced(world).moves).toHaveLength(2);
    world.run(20_000);
    expect(["a", "b", "c", "d"].flatMap((name) => placesOf(world, name)).sort()).toEqual(["n1", "n1", "n2", "n2"]);
    expectRest(world);
  });

  test("says why it leaves services alone: data, writers, followers, changes, illness", () => {
    const world = nodes(2);
    world.volume("data");
    world.availability(nodeId("n2"), "pause");
    world.deploy("store", replicated(1), template({ volume: "data" }));
    world.deploy("base", replicated(1), template());
    world.deploy("side", replicated(1), placing({ with: "base" }));
    world.broken.add("sick:1");
    world.deploy("sick", replicated(1), template({ image: "sick:1" }));
    world.run(10_000);
    world.availability(nodeId("n2"), "active");
    expect(Object.fromEntries(rebalanced(world).stays.map(({ service, reason }) => [service, reason]))).toEqual({
      store: "its volume data is on one node's disk",
      side: "it follows base",
      sick: "a change of it is under way",
    });
  });

  test("leaves a task where it is when the other one does not work, and does not try it again", () => {
    const world = crowded();
    rebalanced(world);
    world.broken.add("web:v1");
    world.run(5_000);
    expect(watched(world, "web", 60_000).fewest).toBe(4);
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n1", "n1"]);
    expect(world.state.service.get("web")?.moves).toBeUndefined();
    expectRest(world);
  });

  test("leaves a task where it is when the other one does its work and ends", () => {
    const world = nodes(2);
    world.availability(nodeId("n2"), "pause");
    world.deploy("web", replicated(2), template({ restart: UNTIL_DONE }));
    world.run(10_000);
    world.availability(nodeId("n2"), "active");
    rebalanced(world);
    world.rest();
    const mover = world.live("web").find(({ nodeId: id }) => id === nodeId("n2"));
    world.status(mover?.id ?? expect.fail("nothing moves"), { state: "complete", exitCode: 0, exhausted: true });
    expect(watched(world, "web", 10_000).fewest).toBe(2);
    expect(placesOf(world, "web")).toEqual(["n1", "n1"]);
    expect(world.state.service.get("web")?.moves).toBeUndefined();
    expectRest(world);
  });

  test("drops moves when the node would not take them any more, and when an update overtakes it", () => {
    const world = crowded();
    rebalanced(world);
    world.availability(nodeId("n2"), "pause");
    world.run(5_000);
    expect(world.state.service.get("web")?.moves).toBeUndefined();
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n1", "n1"]);
    world.availability(nodeId("n2"), "active");
    rebalanced(world);
    world.deploy("web", replicated(4), template({ image: "web:v2" }));
    world.run(40_000);
    expect(world.state.service.get("web")?.moves).toBeUndefined();
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expectRest(world);
  });

  test("keeps moves to a node that has not been heard yet, as after a new start of the coordinator", () => {
    const world = crowded();
    rebalanced(world);
    for (const name of ["n1", "n2"]) world.presence.delete(nodeId(name));
    world.run(3_000);
    expect(world.state.service.get("web")?.moves).toBeDefined();
    for (const name of ["n1", "n2"]) world.presence.set(nodeId(name), "ready");
    world.run(60_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n2", "n2"]);
    expectRest(world);
  });

  test("whatever runs where: health holds at each step, it comes to rest, and soon another one finds nothing", () => {
    const service = fc.record({
      replicas: fc.integer({ min: 1, max: 6 }),
      cpus: fc.constantFrom(0, 0.5, 1),
      binpack: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(service, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (services, late) => {
          const world = nodes(2);
          services.forEach(({ replicas, cpus, binpack }, at) => {
            const placement = binpack ? { strategy: "binpack" as const } : {};
            world.deploy(`s${at}`, replicated(replicas), placing(placement, { cpus }));
          });
          world.run(6_000);
          const running = services.map((_, at) => world.running(`s${at}`).length);
          for (let node = 0; node < late; node++) world.node(`late${node}`);
          world.run(6_000);
          rebalanced(world);
          world.run(40_000, () => {
            services.forEach((_, at) => {
              const healthy = world.live(`s${at}`).filter((task) => isHealthy(world.world(), task)).length;
              expect(healthy).toBeGreaterThanOrEqual(running[at] ?? 0);
            });
          });
          expectRest(world);
          // where nodes are full one move makes room for the next
          let again = rebalanced(world).moves;
          for (let round = 0; round < 3 && again.length > 0; round++) {
            world.run(40_000);
            again = rebalanced(world).moves;
          }
          expect(again).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  });
});
