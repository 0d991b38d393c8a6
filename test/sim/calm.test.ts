// What must not happen when nothing happens: a day without faults, and restarts of the coordinator alone. And what happens when a node is
// drained, or a place becomes free.

import { describe, expect, test } from "vitest";
import type { Command } from "../../src/core/commands/command.ts";
import { deployStack } from "../../src/core/commands/deploy-stack.ts";
import { updateNode } from "../../src/core/commands/nodes.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { template } from "../fakes/world-model.ts";
import { Cluster } from "./world/cluster.ts";

const HOUR_MS = 3_600_000;
/** A day takes some seconds of a core; only one that hangs takes so long. */
const TIMEOUT_MS = 600_000;

function running(seed: string, nodes = 3): Cluster {
  const cluster = new Cluster({ seed, nodes, drift: 0.002 });
  cluster.universe.peerIntervalMs = 30_000;
  cluster.start();
  cluster.run(3_000);
  const health = { ...template().health, probe: { kind: "http", port: 80, path: "/" } } as const;
  const services = [
    serviceOf("shop", "web", { replicas: nodes, template: { health } }),
    serviceOf("shop", "api", { mode: { kind: "global" } }),
    serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }),
  ];
  ask(cluster, deployStack(stackOf("shop", services)));
  cluster.run(60_000);
  return cluster;
}

function ask(cluster: Cluster, command: Command<unknown>): void {
  cluster.machine.command(command).catch((error: unknown) => {
    throw error;
  });
}

function started(cluster: Cluster): readonly string[] {
  return cluster.nodes.flatMap((host) => host.engine.running.map((box) => box.name)).sort();
}

describe("a cluster that is left alone", { timeout: TIMEOUT_MS }, () => {
  test("restarts nothing and replaces nothing in a day", () => {
    const cluster = running("calm");
    const before = started(cluster);
    expect(before).toHaveLength(7);
    cluster.run(24 * HOUR_MS);
    expect(started(cluster)).toEqual(before);
    expect(cluster.nodes.every((host) => cluster.running?.coordinator.isReady(host.id))).toBe(true);
  });

  test("does not notice that its coordinator is killed, loses its power or is stopped, twenty times", () => {
    const cluster = running("restarts");
    const before = started(cluster);
    for (let round = 0; round < 20; round++) {
      if (round % 3 === 0) cluster.machine.kill();
      else if (round % 3 === 1) cluster.machine.stop();
      else cluster.machine.powerOff();
      cluster.run(5_000 + round * 1_000);
      cluster.machine.powerOn();
      cluster.run(20_000);
    }
    expect(started(cluster)).toEqual(before);
    expect(cluster.running?.epoch).toBe(21);
  });
});

describe("room", { timeout: TIMEOUT_MS }, () => {
  test("is made by a drain, and what waits for room is placed when there is some", () => {
    const cluster = running("room", 2);
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new Error("two nodes were asked for");
    const has = Math.min(first.plan.resources.cpus, second.plan.resources.cpus);
    const reservations = { cpus: has, memoryBytes: 0, generic: {} };
    const resources = { ...template().resources, reservations };
    ask(cluster, updateNode({ ref: first.id, patch: { availability: "drain" } }));
    ask(cluster, updateNode({ ref: second.id, patch: { availability: "pause" } }));
    cluster.run(60_000);
    expect(first.engine.running).toHaveLength(0);
    ask(cluster, deployStack(stackOf("big", [serviceOf("big", "one", { replicas: 1, template: { resources } })])));
    cluster.run(10_000);
    const task = [...cluster.state.task.values()].find(
      (one) => one.desiredReason === "fills the slot" && one.nodeId === undefined,
    );
    expect(task?.waiting).toMatch(/draining|paused/);
    ask(cluster, updateNode({ ref: first.id, patch: { availability: "active" } }));
    cluster.run(30_000);
    expect(first.engine.running.some((box) => box.name.startsWith("big_one.1"))).toBe(true);
  });
});
