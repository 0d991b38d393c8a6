// Which nodes a service with one task on each node is for. Pure.

import type { NodeId } from "../model/ids.ts";
import type { ServiceVersion, Task } from "../model/records.ts";
import type { World } from "../model/world.ts";
import { meets, runsPlatform } from "../schedule/constraint.ts";

/** Nodes that meet the placement and take tasks; a paused one keeps what it has of `tasks`. In the order of their ids. */
export function eligibleNodes(world: World, version: ServiceVersion, tasks: readonly Task[]): readonly NodeId[] {
  const { placement } = version.spec.template;
  const { state, presence } = world;
  const has = new Set(tasks.filter((task) => task.desired === "running").map((task) => task.onlyNode ?? task.nodeId));
  return [...state.node.values()]
    .filter((node) => {
      if (node.confirmedDeadAtMs !== undefined || node.availability === "drain") return false;
      const status = state.nodeStatus.get(node.id);
      if (status === undefined && !has.has(node.id)) return false;
      if (
        !placement.constraints.every((constraint) => meets(constraint, node, status)) ||
        !runsPlatform(placement.platforms, status)
      )
        return false;
      return has.has(node.id) || (node.availability === "active" && presence.get(node.id) === "ready");
    })
    .map((node) => node.id)
    .sort();
}
