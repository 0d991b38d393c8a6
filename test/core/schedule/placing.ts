// What tests of placing have in common: templates that ask for a place, worlds with zones, where tasks run.

import { expect } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import type { PlacementSpec, ResourceAmounts, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

/** A template with a placement, that reserves something, of an image of its own. */
export function placing(
  placement: Partial<PlacementSpec>,
  reserved: Partial<ResourceAmounts> = {},
  image = "web:v1",
): TaskTemplate {
  return template({
    image,
    placement: { constraints: [], spreadOver: [], maxPerNode: 0, platforms: [], ...placement },
    resources: {
      limits: { cpus: 0, memoryBytes: 0, pids: 0 },
      reservations: { cpus: 0, memoryBytes: 0, generic: {}, ...reserved },
    },
  });
}

/** Nodes n1, n2, … with four processors each. */
export function nodes(count: number, labelsOf: (at: number) => Record<string, string> = () => ({})): WorldModel {
  const world = new WorldModel();
  for (let at = 1; at <= count; at++) world.node(`n${at}`, labelsOf(at));
  return world;
}

export function replicated(replicas: number) {
  return { kind: "replicated", replicas } as const;
}

/** Nodes of a service's running tasks, sorted. */
export function placesOf(world: WorldModel, service: string): readonly string[] {
  return world
    .running(service)
    .map((task) => String(task.nodeId))
    .sort();
}

/** Why the service's tasks without a node wait. */
export function waits(world: WorldModel, service: string): readonly string[] {
  return world.live(service).flatMap((task) => (task.nodeId === undefined ? [task.waiting ?? ""] : []));
}

/** The node of a service's running task in a slot. */
export function placeOf(world: WorldModel, service: string, slot: number): string {
  const task = world.running(service).find((one) => one.slot === slot && one.withdrawal === undefined);
  return task?.nodeId === undefined ? "nowhere" : String(task.nodeId);
}

/** At rest: planning again changes nothing. */
export function expectRest(world: WorldModel): void {
  expect(world.plan()).toEqual([]);
}

export function nodeId(name: string) {
  return asId<"node">(name);
}
