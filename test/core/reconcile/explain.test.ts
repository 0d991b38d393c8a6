// What a service's explanation says of each node: for what runs, what waits, and what runs on every node.

import { describe, expect, test } from "vitest";
import { explainService, type ServiceExplanation } from "../../../src/core/reconcile/explain.ts";
import type { WorldModel } from "../../fakes/world-model.ts";
import { nodeId, nodes, placing, replicated } from "../schedule/placing.ts";

function explained(world: WorldModel, name: string): ServiceExplanation {
  const service = world.state.service.get(name);
  if (service === undefined) expect.fail(`no service ${name}`);
  return explainService(world.world(), world.nowMs, service);
}

function told({ nodes: list }: ServiceExplanation): readonly (readonly [string, number, number | string])[] {
  return list.map(({ node, tasks, rank, reason }) => [node.name, tasks, rank ?? reason]);
}

describe("an explanation", () => {
  test("ranks the nodes for one more task as the planner then chooses", () => {
    const world = nodes(3);
    world.deploy("web", replicated(4), placing({}, { cpus: 0.5 }));
    world.run(3_000);
    const before = explained(world, "web");
    expect(told(before)).toEqual([
      ["n2", 1, 1],
      ["n3", 1, 2],
      ["n1", 2, 3],
    ]);
    world.scale("web", 5);
    world.run(3_000);
    expect(told(explained(world, "web")).find(([name]) => name === "n2")?.[1]).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("is about the first task that waits, with all reasons by frequency", () => {
    const world = nodes(2, (at) => ({ disk: at === 1 ? "ssd" : "hdd" }));
    const onSsd = placing(
      { constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] },
      { cpus: 2 },
    );
    world.deploy("web", replicated(4), onSsd);
    world.run(3_000);
    const { about, waiting, nodes: list } = explained(world, "web");
    expect(about?.slot).toBe(3);
    expect(waiting).toEqual([
      { reason: "1 node lacks 2 CPUs free; 1 node lacks label disk=ssd", tasks: ["web.3", "web.4"] },
    ]);
    expect(list.map(({ node, reason }) => [node.name, reason])).toEqual([
      ["n1", "lacks 2 CPUs free"],
      ["n2", "lacks label disk=ssd"],
    ]);
  });

  test("of a service on every node asks each node for its own task", () => {
    const world = nodes(3);
    world.deploy("agent", { kind: "global" }, placing({}));
    world.run(3_000);
    world.availability(nodeId("n2"), "drain");
    world.run(5_000);
    expect(explained(world, "agent").nodes.map(({ node, takes, reason }) => [node.name, takes, reason])).toEqual([
      ["n1", true, ""],
      ["n2", false, "is draining"],
      ["n3", true, ""],
    ]);
  });

  test("follows the partner's slot of a task that is to be with another", () => {
    const world = nodes(2);
    world.deploy("db", replicated(1), placing({}));
    world.run(3_000);
    world.availability(nodeId("n1"), "pause");
    world.deploy("cache", replicated(1), placing({ with: "db" }));
    world.run(1_000);
    const { about, nodes: list } = explained(world, "cache");
    expect(about?.waiting).toBe("n1, where db.1 is, is paused");
    expect(list.map(({ node, reason }) => [node.name, reason])).toEqual([
      ["n1", "is paused"],
      ["n2", "is not n1, where db.1 is"],
    ]);
  });
});
