// Whether a node is there, as the checkers of plans and of moves ask it.

import type { NodeId } from "../../../src/core/model/ids.ts";
import type { State } from "../../../src/core/model/world.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";

/** Whether a node is gone as far as its coordinator may know in the middle of a commit: `state` is that commit's so far. */
export function isNodeGone(coordinating: Coordinating | undefined, state: State, id: NodeId): boolean {
  const node = state.node.get(id);
  if (node === undefined || node.confirmedDeadAtMs !== undefined) return true;
  const presence = coordinating?.coordinator.worldOf(state).presence.get(id);
  if (presence === "ready") return false;
  return presence === "lost" || state.nodeStatus.get(id)?.unseenSinceMs !== undefined;
}
