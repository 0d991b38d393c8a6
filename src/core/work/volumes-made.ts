// Notices that a volume's data now exists on a node, so that no later task is started there on an empty volume. Pure.

import type { NodeId } from "../model/ids.ts";
import type { Change } from "../model/records.ts";
import type { State } from "../model/world.ts";

/** Pins to write because a task was seen running with the volume on a node that the pin does not name yet. */
export function volumesMade(state: State): readonly Change[] {
  // asked before every plan: without volumes of its own a cluster pays nothing for it
  if (state.volumePin.size === 0) return [];
  const madeOn = new Map<string, Set<NodeId>>();
  for (const task of state.task.values()) {
    if (task.nodeId === undefined || task.volumes.length === 0) continue;
    if (state.taskStatus.get(task.id)?.startedAtMs === undefined) continue;
    for (const name of task.volumes) {
      const nodes = madeOn.get(name) ?? new Set<NodeId>();
      madeOn.set(name, nodes.add(task.nodeId));
    }
  }
  const changes: Change[] = [];
  for (const volume of state.volume.values()) {
    const pin = state.volumePin.get(volume.id);
    const nodes = madeOn.get(volume.name);
    if (pin === undefined || nodes === undefined) continue;
    const known = pin.madeOn ?? [];
    const added = [...nodes].filter((id) => !known.includes(id)).sort();
    if (added.length > 0)
      changes.push({ op: "put", kind: "volumePin", record: { ...pin, madeOn: [...known, ...added] } });
  }
  return changes;
}
