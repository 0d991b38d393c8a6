// When an address may be another's: once every node that was not removed, silent ones included, has acknowledged routes without it. A node
// that comes back with old routes would else send a service's connections to whoever has its address by then. Pure.

import type { Task } from "../model/records.ts";
import { isOver } from "../schedule/ledger.ts";
import { acknowledgedByAll } from "./acknowledged.ts";
import type { Planning } from "./planning.ts";

/** Notes which routes are the first without an address, and gives free what every node has left behind. */
export function planAddresses(planning: Planning): void {
  const { world } = planning;
  const { state, routesGeneration } = world;
  if (routesGeneration === 0) return;
  // what is over only in this plan is in the routes of the committed state
  const generation = routesGeneration + 1;
  const released: Task[] = [];
  for (const task of state.task.values())
    if (task.address !== undefined && task.released !== true && isOver(state, task)) released.push(task);
  const freed = [...state.freedAddress.values()];
  const noted = freed.filter((address) => address.generation === undefined).map(({ id }) => id);
  if (released.length + noted.length > 0)
    planning.steps.push({
      kind: "release",
      taskIds: released.map(({ id }) => id).sort(),
      noted: noted.sort(),
      generation,
    });
  const acknowledged = acknowledgedByAll(world);
  const free = freed.filter((address) => (address.generation ?? Infinity) <= acknowledged).map(({ id }) => id);
  if (free.length > 0) planning.steps.push({ kind: "free", addresses: free.sort() });
}
