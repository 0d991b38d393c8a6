// A service of four on three nodes, with a second version on trial: what the tests of rollouts begin with.

import { expect } from "vitest";
import type { Task } from "../../../src/core/model/records.ts";
import type { Rollout } from "../../../src/core/model/rollout.ts";
import type { UpdatePolicy, UpdateStrategy } from "../../../src/core/model/update-policy.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

export const four = { kind: "replicated", replicas: 4 } as const;
export const CANARY = { kind: "canary", canaries: { percent: 25 }, weight: 10 } as const satisfies UpdateStrategy;
export const GREEN: UpdateStrategy = { kind: "blue-green", holdMs: 0, keepMs: 60_000 };

export function running(): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2", "n3"]) world.node(name);
  world.deploy("web", four, template());
  world.run(12_000);
  return world;
}

/** A second version on trial; time goes on until its tasks are healthy. */
export function trying(strategy: UpdateStrategy, update: Partial<UpdatePolicy> = {}): WorldModel {
  const world = running();
  world.deploy("web", four, template({ image: "web:v2" }), { strategy, ...update });
  world.run(3_000);
  return world;
}

export function rollout(world: WorldModel): Rollout {
  return world.state.rollout.get("web") ?? expect.fail("no rollout");
}

export function of(world: WorldModel, version: number): readonly Task[] {
  return world.live("web").filter((task) => task.specVersion === version);
}

/** Ids of the tasks that were there before. */
export function ids(tasks: readonly Task[]): readonly string[] {
  return tasks.map((task) => task.id as string).sort();
}

export function weights(world: WorldModel, version: number): readonly number[] {
  return of(world, version).map((task) => task.weight);
}

export function expectAtRest(world: WorldModel): void {
  expect(world.plan()).toEqual([]);
}
