// How the nodes that can take a task are ranked: spread preferences level by level, strategies, failures.

import { describe, expect, test } from "vitest";
import { template } from "../../fakes/world-model.ts";
import { expectRest, nodeId, nodes, placesOf, placing, replicated } from "./placing.ts";

describe("spread preferences over several levels", () => {
  const zoneAndRack = { spreadOver: ["node.labels.zone", "node.labels.rack"] };

  test("even out zones first, then racks inside the zone, not racks of one name across zones", () => {
    // zone a has racks 1 and 2, zone b only rack 1 on three nodes
    const labels = [
      { zone: "a", rack: "1" },
      { zone: "a", rack: "1" },
      { zone: "a", rack: "2" },
      { zone: "b", rack: "1" },
      { zone: "b", rack: "1" },
      { zone: "b", rack: "1" },
    ];
    const world = nodes(6, (at) => labels[at - 1] ?? {});
    world.deploy("web", replicated(8), placing(zoneAndRack));
    world.run(3_000);
    const places = placesOf(world, "web");
    const inZone = (zone: string): number =>
      places.filter((name) => world.state.node.get(name)?.labels["zone"] === zone).length;
    expect([inZone("a"), inZone("b")]).toEqual([4, 4]);
    expect(places.filter((name) => name === "n3")).toHaveLength(2);
    expect(places.filter((name) => name === "n1" || name === "n2")).toHaveLength(2);
    expectRest(world);
  });

  test("a zone that cannot take more gives way to the next", () => {
    const world = nodes(3, (at) => ({ zone: at === 1 ? "a" : "b" }));
    world.deploy("web", replicated(10), placing(zoneAndRack, { cpus: 1 }));
    world.run(3_000);
    const places = placesOf(world, "web");
    expect(places.filter((name) => name === "n1")).toHaveLength(4);
    expect(places).toHaveLength(10);
    expectRest(world);
  });

  test("nodes without the label are a group of their own, also beside one whose label is empty", () => {
    const world = nodes(3, (at) => (at === 1 ? {} : at === 2 ? { zone: "" } : { zone: "a" }));
    world.deploy("web", replicated(6), placing({ spreadOver: ["node.labels.zone"] }));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n2", "n2", "n3", "n3"]);
    expectRest(world);
  });
});

describe("strategies", () => {
  test("binpack fills one node before the next", () => {
    const world = nodes(3);
    world.deploy("web", replicated(6), placing({ strategy: "binpack" }, { cpus: 1 }));
    world.run(3_000);
    expect(placesOf(world, "web")).toEqual(["n1", "n1", "n1", "n1", "n2", "n2"]);
    expectRest(world);
  });

  test("binpack joins the node on which others have reserved the most, and leaves one that is busy by measurement", () => {
    const world = nodes(3);
    world.deploy("base", replicated(1), placing({ constraints: [on("n2")] }, { cpus: 2 }));
    world.run(2_000);
    world.deploy("web", replicated(1), placing({ strategy: "binpack" }, { cpus: 1 }));
    world.run(2_000);
    expect(placesOf(world, "web")).toEqual(["n2"]);
    const figures = { memoryUsedBytes: 0, diskFreeBytes: 1, diskTotalBytes: 1 };
    world.measured.set(nodeId("n2"), { ...figures, cpuFraction: 0.95 });
    world.deploy("other", replicated(1), placing({ strategy: "binpack" }, { cpus: 1 }));
    world.run(2_000);
    expect(placesOf(world, "other")).toEqual(["n1"]);
    expectRest(world);
  });

  test("spread takes the least busy of nodes that are otherwise equal", () => {
    const world = nodes(2);
    const figures = { memoryUsedBytes: 0, diskFreeBytes: 1, diskTotalBytes: 1 };
    world.measured.set(nodeId("n1"), { ...figures, cpuFraction: 0.6 });
    world.deploy("web", replicated(1), template());
    world.run(2_000);
    expect(placesOf(world, "web")).toEqual(["n2"]);
    expectRest(world);
  });
});

test("spread takes the node with the most memory left by measurement of nodes that are otherwise equal", () => {
  const world = nodes(2);
  const figures = { cpuFraction: 0, diskFreeBytes: 1, diskTotalBytes: 1 };
  world.measured.set(nodeId("n1"), { ...figures, memoryUsedBytes: 7_000_000_000 });
  world.deploy("web", replicated(1), template());
  world.run(2_000);
  expect(placesOf(world, "web")).toEqual(["n2"]);
  expectRest(world);
});

test("a node where a version failed several times is taken last for its other slots too, for ten minutes", () => {
  const world = nodes(2);
  world.deploy("web", replicated(1), template());
  world.run(2_000);
  const [task] = world.running("web");
  if (task === undefined) expect.fail("no task");
  expect(task.nodeId).toBe("n1");
  world.status(task.id, { attempt: 4, healthy: true });
  world.scale("web", 3);
  world.run(3_000);
  expect(placesOf(world, "web")).toEqual(["n1", "n2", "n2"]);
  // the failures are history, and old
  world.status(task.id, { attempt: 1 });
  world.scale("web", 4);
  world.run(3_000);
  expect(placesOf(world, "web")).toEqual(["n1", "n1", "n2", "n2"]);
  expectRest(world);
});

test("a node where a slot's task of this version just failed comes last, even against binpack", () => {
  const world = nodes(2);
  const binpacked = placing({ strategy: "binpack" });
  world.deploy("web", replicated(1), { ...binpacked, restart: { ...binpacked.restart, maxAttempts: 1 } });
  world.run(2_000);
  expect(placesOf(world, "web")).toEqual(["n1"]);
  const [task] = world.running("web");
  if (task === undefined) expect.fail("no task");
  world.status(task.id, { state: "failed", exhausted: true, attempt: 2, reason: "exit code 1" });
  world.run(6_000);
  expect(placesOf(world, "web")).toEqual(["n2"]);
  expectRest(world);
});

function on(name: string) {
  return { attribute: "node.hostname", operator: "==" as const, value: name };
}
