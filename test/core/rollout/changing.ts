// A service of three on three nodes, and a node that it finds no room on: what the tests of changes begin with.

import { template, WorldModel } from "../../fakes/world-model.ts";

export const one = { kind: "replicated", replicas: 1 } as const;
export const three = { kind: "replicated", replicas: 3 } as const;

/** No node has such a disk until one comes with it. */
export const ON_SSD = {
  constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }],
  spreadOver: [],
  maxPerNode: 0,
  platforms: [],
} as const;

export function running(mode: Parameters<WorldModel["deploy"]>[1] = three): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2", "n3"]) world.node(name);
  world.deploy("web", mode, template());
  world.run(12_000);
  return world;
}

export function versions(world: WorldModel): readonly number[] {
  return world
    .running("web")
    .map((task) => task.specVersion)
    .sort();
}
