// Which nodes have left behind the routes of before: what a stop by choice waits for, and what an address is not given away before. Pure.

import { asId } from "../model/ids.ts";
import type { Node } from "../model/records.ts";
import type { World } from "../model/world.ts";
import { isLost } from "./health.ts";

/** Nodes in reach that have not acknowledged the routes of this generation, by name. */
export function lagging(world: World, generation: number): readonly Node[] {
  if (generation === 0) return [];
  return [...world.state.node.values()]
    .filter(({ id }) => !isLost(world, id) && (world.progress.get(id)?.routesApplied ?? 0) < generation)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The newest routes that every node has, be it in reach or not; removed ones do not count. */
export function acknowledgedByAll(world: World): number {
  const applied = [...world.state.node.keys()].map((id) => world.progress.get(asId(id))?.routesApplied ?? 0);
  return Math.min(Infinity, ...applied);
}
