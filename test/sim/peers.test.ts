// What leaves the routes while no coordinator is there: a container that dies, a node that dies, a way that is cut. Each in several clusters.

import { describe, expect, test } from "vitest";
import { deployStack } from "../../src/core/commands/deploy-stack.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Cluster } from "./world/cluster.ts";
import type { Host } from "./world/host.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];
/** As on real machines. */
const INTERVAL_MS = 500;
const TOLD_MS = 1_000;
const SILENT_MS = 4_000;

type Story = { readonly cluster: Cluster; readonly victim: Host; readonly others: readonly Host[] };

/** A task on each of four nodes, and no coordinator any more. */
function left(seed: number): Story {
  const cluster = new Cluster({ seed: `peers ${seed}`, nodes: 4, drift: 0.002 });
  cluster.universe.peerIntervalMs = INTERVAL_MS;
  cluster.start();
  cluster.run(3_000);
  void cluster.machine.command(deployStack(stackOf("shop", [serviceOf("shop", "web", { mode: { kind: "global" } })])));
  cluster.run(30_000);
  for (const host of cluster.nodes) expect(shown(host)).toHaveLength(4);
  cluster.machine.powerOff();
  cluster.run(20_000);
  const [victim, ...others] = cluster.nodes;
  if (victim === undefined) throw new Error("four nodes were asked for");
  return { cluster, victim, others };
}

/** Addresses that a node's rules lead to. */
function shown(host: Host): readonly string[] {
  return [...host.rules.table].flatMap(([address, { standing }]) => (standing === "in" ? [address] : [])).sort();
}

function addressOn(host: Host): string {
  return host.engine.running.flatMap((box) => box.request?.task.address ?? [])[0] ?? "";
}

describe.each(SEEDS)("without a coordinator, in cluster %i,", (seed) => {
  test("nothing is hidden by itself", () => {
    const { cluster } = left(seed);
    cluster.run(120_000);
    for (const host of cluster.nodes) expect(shown(host)).toHaveLength(4);
  });

  test("a container that dies is out of all routes within a second, and back in them once it is ready again", () => {
    const { cluster, victim } = left(seed);
    const address = addressOn(victim);
    const box = victim.engine.running.find(({ request }) => request !== undefined);
    if (box === undefined) throw new Error("a task runs there");
    victim.engine.exit(box, 137);
    let isOut = false;
    cluster.run(TOLD_MS, () => (isOut ||= cluster.nodes.every((host) => !shown(host).includes(address))));
    expect(isOut).toBe(true);
    cluster.run(20_000);
    for (const host of cluster.nodes) expect(shown(host)).toContain(address);
  });

  test("a node that loses its power is out of all others' routes within seconds, and back in them on its return", () => {
    const { cluster, victim, others } = left(seed);
    const address = addressOn(victim);
    victim.powerOff();
    cluster.run(SILENT_MS);
    for (const host of others) expect(shown(host)).toHaveLength(3);
    for (const host of others) expect(shown(host)).not.toContain(address);
    victim.powerOn();
    cluster.run(40_000);
    for (const host of cluster.nodes) expect(shown(host)).toContain(address);
  });

  test("an agent that dies hides nothing, and a container that dies after it is found by those who call it", () => {
    const { cluster, victim, others } = left(seed);
    const address = addressOn(victim);
    victim.isSupervised = false;
    victim.killAgent();
    cluster.run(30_000);
    for (const host of others) expect(shown(host)).toContain(address);
    const box = victim.engine.running.find(({ request }) => request !== undefined);
    if (box !== undefined) victim.engine.exit(box, 1);
    cluster.run(SILENT_MS);
    for (const host of others) expect(shown(host)).not.toContain(address);
  });

  test("two nodes that do not reach each other hide each other's tasks, and others go on with both", () => {
    const { cluster, victim, others } = left(seed);
    const [second, third] = others;
    if (second === undefined || third === undefined) throw new Error("four nodes were asked for");
    const { network } = cluster.universe;
    network.cut(victim.address, second.address);
    network.cut(second.address, victim.address);
    cluster.run(SILENT_MS);
    expect(shown(second)).not.toContain(addressOn(victim));
    expect(shown(victim)).not.toContain(addressOn(second));
    expect(shown(third)).toHaveLength(4);
    network.mend(victim.address);
    cluster.run(SILENT_MS);
    expect(shown(second)).toHaveLength(4);
    expect(shown(victim)).toHaveLength(4);
  });
});
