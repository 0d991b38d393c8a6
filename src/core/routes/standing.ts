// Whether a task is an endpoint, and whether it gets new connections: the coordinator's word, from committed records alone. Pure.

import type { NodeId } from "../model/ids.ts";
import type { Task } from "../model/records.ts";
import type { Standing } from "../model/routes.ts";
import type { State } from "../model/world.ts";
import { isOver } from "../schedule/ledger.ts";

/** Removed, confirmed dead, or lost and not heard of since, by what is committed. */
export function isNodeLost(state: State, nodeId: NodeId): boolean {
  const node = state.node.get(nodeId);
  if (node === undefined || node.confirmedDeadAtMs !== undefined) return true;
  return state.nodeStatus.get(nodeId)?.unseenSinceMs !== undefined;
}

/** A task whose address routes must name: it has one, on a node that was not removed, and its container may be there. */
export function isListed(
  state: State,
  task: Task,
): task is Task & { readonly nodeId: NodeId; readonly address: string } {
  const { nodeId, address } = task;
  return nodeId !== undefined && address !== undefined && state.node.has(nodeId) && !isOver(state, task);
}

/** A job's task is reached by nobody: it is a member of its networks, and that is all. */
export function standingOf(state: State, task: Task, isJob: boolean): Standing {
  if (isJob || task.desired !== "running" || task.withdrawal !== undefined) return "out";
  if (task.nodeId === undefined || isNodeLost(state, task.nodeId)) return "waiting";
  const status = state.taskStatus.get(task.id);
  return status?.state === "running" && status.healthy === true ? "in" : "waiting";
}
