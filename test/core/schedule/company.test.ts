// Services that want each other, or not, and slots that follow those of another service.

import { describe, expect, test } from "vitest";
import { planRebalance } from "../../../src/core/schedule/rebalance.ts";
import { template } from "../../fakes/world-model.ts";
import { expectRest, nodeId, nodes, placeOf, placesOf, placing, replicated, waits } from "./placing.ts";

const near = (service: string, required: boolean) => ({ affinity: [{ service, required }] });
const apart = (service: string, required: boolean) => ({ antiAffinity: [{ service, required }] });

describe("affinity", () => {
  test("when it is required, tasks go only where the other service is, and wait for its first task", () => {
    const world = nodes(3);
    world.deploy("web", replicated(2), placing(near("cache", true)));
    world.run(2_000);
    expect(waits(world, "web")).toEqual(["3 nodes have no task of cache", "3 nodes have no task of cache"]);
    world.deploy("cache", replicated(1), placing({ constraints: [on("n3")] }));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n3", "n3"]);
    expectRest(world);
  });

  test("when it is preferred, it counts more than evenness, and a full node is left", () => {
    const world = nodes(3);
    world.deploy("cache", replicated(1), placing({ constraints: [on("n2")] }));
    world.run(2_000);
    world.deploy("web", replicated(5), placing(near("cache", false), { cpus: 1 }));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n2", "n2", "n2", "n2"]);
    expectRest(world);
  });

  test("to itself, the first task goes anywhere and the others beside it", () => {
    const world = nodes(3);
    world.deploy("web", replicated(3), placing(near("web", true)));
    world.run(3_000);
    expect(new Set(placesOf(world, "web")).size).toBe(1);
    expectRest(world);
  });

  test.each(["by an earlier plan", "by the same plan"])("a task that is ended %s is no company", (when) => {
    const world = nodes(2);
    world.routesGeneration = 1;
    world.deploy("cache", replicated(1), template());
    world.run(2_000);
    world.scale("cache", 0);
    if (when === "by an earlier plan") world.plan();
    world.deploy("web", replicated(1), placing(near("cache", true)));
    world.rest();
    expect(waits(world, "web")).toEqual(["2 nodes have no task of cache"]);
  });
});

describe("anti-affinity", () => {
  test("when it is required, neither of the two joins the other, whichever says so", () => {
    const world = nodes(2);
    world.deploy("noisy", replicated(1), placing({ ...apart("web", true), constraints: [on("n1")] }));
    world.run(2_000);
    world.deploy("web", replicated(2), template());
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n2", "n2"]);
    world.deploy("late", replicated(1), placing({ ...apart("web", true), constraints: [on("n2")] }));
    world.run(3_000);
    expect(waits(world, "late")).toEqual([
      "1 node has a task of web, to keep apart from; 1 node lacks node.hostname=n2",
    ]);
    expectRest(world);
  });

  test("a service that refuses another says its name where that one waits", () => {
    const world = nodes(1);
    world.deploy("noisy", replicated(1), placing(apart("web", true)));
    world.run(2_000);
    world.deploy("web", replicated(1), template());
    world.run(2_000);
    expect(waits(world, "web")).toEqual(["1 node has a task of noisy, to keep apart from"]);
    expectRest(world);
  });

  test("to itself, each node gets one, and the next waits", () => {
    const world = nodes(2);
    world.deploy("web", replicated(3), placing(apart("web", true)));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n2"]);
    expect(waits(world, "web")).toEqual(["2 nodes have a task of web, to keep apart from"]);
    expectRest(world);
  });

  test("when it is preferred, it gives way to having a place at all", () => {
    const world = nodes(2);
    world.deploy("noisy", replicated(1), placing({ constraints: [on("n1")] }));
    world.run(2_000);
    world.deploy("web", replicated(3), placing(apart("noisy", false), { cpus: 2 }));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n2", "n2"]);
    expectRest(world);
  });
});

describe("a home for each of two that must be apart", () => {
  const onSecond = placing({ constraints: [on("n2")] });

  test.each(["backup", "db"])("%s says so: the one that may go anywhere leaves the other one's only node", (sayer) => {
    const world = nodes(3);
    const [mine, other] = sayer === "backup" ? [apart("db", true), {}] : [{}, apart("backup", true)];
    world.deploy("backup", replicated(4), placing(mine));
    world.deploy("db", replicated(2), placing({ ...other, constraints: [on("n2")] }));
    world.run(4_000);
    expect(placesOf(world, "backup")).toEqual(["n1", "n1", "n3", "n3"]);
    expect(placesOf(world, "db")).toEqual(["n2", "n2"]);
    expectRest(world);
  });

  test("also while the other one still waits for something else", () => {
    const world = nodes(2);
    const first = { service: "schema", condition: "service_healthy", required: true, restart: false } as const;
    world.broken.add("schema:v1");
    world.deploy("schema", replicated(1), template({ image: "schema:v1" }));
    world.deploy("backup", replicated(2), placing(apart("db", true)));
    world.deploy("db", replicated(1), onSecond, {}, {}, [first]);
    world.run(4_000);
    expect(placesOf(world, "backup")).toEqual(["n1", "n1"]);
    expect(waits(world, "db")).toEqual(["schema comes first: none of its tasks is healthy yet"]);
    world.broken.clear();
    world.run(20_000);
    expect(placesOf(world, "db")).toEqual(["n2"]);
    expectRest(world);
  });

  test.each([
    ["a limit for each node", placing({ maxPerNode: 1 })],
    ["one task on each by its own word", placing(apart("db", true))],
  ])("one that may be on any node keeps as many as it needs: %s", (_how, db) => {
    const world = nodes(5);
    world.deploy("backup", replicated(5), placing(apart("db", true)));
    world.deploy("db", replicated(3), db);
    world.run(4_000);
    expect(new Set(placesOf(world, "backup")).size).toBe(2);
    expect(new Set(placesOf(world, "db")).size).toBe(3);
    expectRest(world);
  });

  test("a global service has the nodes that it may be on, where there are others", () => {
    const world = nodes(3, (at) => (at === 3 ? {} : { disk: "ssd" }));
    world.deploy("batch", replicated(2), placing(apart("store", true)));
    world.deploy(
      "store",
      { kind: "global" },
      placing({ constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] }),
    );
    world.run(4_000);
    expect(placesOf(world, "batch")).toEqual(["n3", "n3"]);
    expect(placesOf(world, "store")).toEqual(["n1", "n2"]);
    expectRest(world);
  });

  test("it is a wish: what has nowhere else to go goes there, and says so to the other", () => {
    const world = nodes(2);
    world.deploy("backup", replicated(1), placing({ ...apart("db", true), constraints: [on("n2")] }));
    world.deploy("db", replicated(1), onSecond);
    world.run(3_000);
    expect(placesOf(world, "backup")).toEqual(["n2"]);
    expect(waits(world, "db")).toEqual([
      "1 node has a task of backup, to keep apart from; 1 node lacks node.hostname=n2",
    ]);
    expectRest(world);
  });

  test("a rebalance clears the only node of what came later", () => {
    const world = nodes(2);
    world.deploy("backup", replicated(2), placing(apart("db", true)));
    world.run(10_000);
    world.deploy("db", replicated(1), onSecond);
    world.run(3_000);
    expect(waits(world, "db")).toHaveLength(1);
    const { moves } = planRebalance(world.world(), world.nowMs);
    expect(moves.map(({ nodeId: to, why }) => [to, why])).toEqual([
      ["n1", "services without another node: 1 beside it on n2, 0 on n1"],
    ]);
  });
});

describe("x-davit.with", () => {
  test("each slot goes where its partner is, and waits for a partner without a place", () => {
    const world = nodes(3);
    world.deploy("side", replicated(4), placing({ with: "web" }));
    world.run(2_000);
    expect(new Set(waits(world, "side"))).toEqual(new Set(["it is to be with web, which does not exist"]));
    world.deploy("web", replicated(3), template({ image: "web:v1" }));
    world.run(4_000);
    for (const slot of [1, 2, 3]) expect(placeOf(world, "side", slot)).toBe(placeOf(world, "web", slot));
    expect(waits(world, "side")).toEqual(["it is to be with web.4, and web has only 3 replicas"]);
    expectRest(world);
  });

  test("what the partner's node lacks is said of that node", () => {
    const world = nodes(2);
    world.deploy("web", replicated(1), placing({}, { cpus: 3 }));
    world.run(2_000);
    world.deploy("side", replicated(1), placing({ with: "web" }, { cpus: 2 }));
    world.run(2_000);
    expect(waits(world, "side")).toEqual(["n1, where web.1 is, lacks 2 CPUs free"]);
    expectRest(world);
  });

  test("when the partner moves it moves, without a moment on a node that is being emptied", () => {
    const world = nodes(3);
    world.deploy("side", replicated(2), placing({ with: "web" }, {}, "side:v1"));
    world.deploy("web", replicated(2), template());
    world.run(6_000);
    const emptied = placeOf(world, "web", 1);
    world.availability(nodeId(emptied), "drain");
    let least = 2;
    world.run(15_000, () => {
      least = Math.min(least, new Set(world.running("side").map((task) => task.slot)).size);
    });
    expect(least).toBe(2);
    for (const slot of [1, 2]) {
      expect(placeOf(world, "web", slot)).not.toBe(emptied);
      expect(placeOf(world, "side", slot)).toBe(placeOf(world, "web", slot));
    }
    expect(world.told.some((line) => line.includes("side.1") && line.includes("now"))).toBe(true);
    expectRest(world);
  });

  test("a lost node's pair is replaced as a pair", () => {
    const world = nodes(3);
    world.deploy("side", replicated(2), placing({ with: "web" }));
    world.deploy("web", replicated(2), template());
    world.run(6_000);
    world.lose(nodeId(placeOf(world, "web", 1)));
    world.run(5_000);
    expect(placeOf(world, "side", 1)).toBe(placeOf(world, "web", 1));
    expect(placeOf(world, "web", 1)).not.toBe("nowhere");
    expectRest(world);
  });

  test.each(["start-first", "stop-first"] as const)("an update of either keeps them together (%s)", (order) => {
    const world = nodes(3);
    world.deploy("side", replicated(3), placing({ with: "web" }), { order });
    world.deploy("web", replicated(3), template(), { order });
    world.run(8_000);
    world.deploy("web", replicated(3), template({ image: "web:v2" }), { order });
    world.run(60_000);
    world.deploy("side", replicated(3), placing({ with: "web" }, {}, "side:v2"), { order });
    world.run(60_000);
    for (const slot of [1, 2, 3]) expect(placeOf(world, "side", slot)).toBe(placeOf(world, "web", slot));
    expect(world.state.rollout.get("side")?.state).toBe("completed");
    expectRest(world);
  });
});

function on(name: string) {
  return { attribute: "node.hostname", operator: "==" as const, value: name };
}
