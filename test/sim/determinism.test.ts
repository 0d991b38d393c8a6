// One seed decides everything: the simulation of a lost node, twice, and once with another seed.

import { describe, expect, test } from "vitest";
import { deployStack } from "../../src/core/commands/deploy-stack.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Cluster } from "./world/cluster.ts";

/** Three replicas on three nodes; one node loses its power and comes back. */
function lostNode(seed: string): Cluster {
  const cluster = new Cluster({ seed, nodes: 3 });
  cluster.start();
  cluster.run(5_000);
  void cluster.machine.command(deployStack(stackOf("shop", [serviceOf("shop", "web", { replicas: 3 })])));
  cluster.run(20_000);
  cluster.nodes[1]?.powerOff();
  cluster.run(15_000);
  return cluster;
}

describe("a simulated cluster", () => {
  test("replaces the tasks of a node that lost its power, and nothing else", () => {
    const cluster = lostNode("lost");
    const running = cluster.nodes.map((host) => host.engine.running.length);
    expect(running.reduce((sum, one) => sum + one, 0)).toBe(3);
    expect(running[1]).toBe(0);
    cluster.nodes[1]?.powerOn();
    cluster.run(30_000);
    expect(cluster.nodes.map((host) => host.engine.running.length)).toEqual([1, 1, 1]);
  });

  test("does the very same twice with one seed, and something else with another", () => {
    const first = lostNode("1").universe;
    const second = lostNode("1").universe;
    expect(second.journal.hash).toBe(first.journal.hash);
    expect(second.scheduler.count).toBe(first.scheduler.count);
    expect(lostNode("2").universe.journal.hash).not.toBe(first.journal.hash);
  });
});
