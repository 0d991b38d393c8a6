// Whether a task is in service, and whether it failed: asked by rollouts, replacements and progress, answered in one place. Pure.

import { goneAfterMs } from "../lease/own-lease.ts";
import type { NodeId } from "../model/ids.ts";
import type { Task, TaskStatus } from "../model/records.ts";
import type { TaskTemplate } from "../model/service-spec.ts";
import { type State, versionKey, type World } from "../model/world.ts";
import { failedAttempts } from "../schedule/ledger.ts";

/** The template that a task was made from. */
export function templateOf(state: State, task: Task): TaskTemplate | undefined {
  return state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template;
}

/** It must never run twice: its node stops it when nobody confirms it any more. */
export function hasOwnLease({ state }: World, task: Task): boolean {
  return templateOf(state, task)?.onLeaseLost === "stop";
}

/** Milliseconds of its node's silence after which nothing of it runs there; 0 for a task without a lease of its own. */
export function goneAfter({ state }: World, task: Task): number {
  const template = templateOf(state, task);
  return template === undefined ? 0 : (goneAfterMs(template) ?? 0);
}

/**
 * Removed, confirmed dead, or its lease ended and it was not heard of since. A coordinator that has just started, or that shut
 * its valve, calls a lost node silent again: it stays lost here until it answers.
 */
export function isLost(world: World, nodeId: NodeId): boolean {
  const node = world.state.node.get(nodeId);
  if (node === undefined || node.confirmedDeadAtMs !== undefined) return true;
  const presence = world.presence.get(nodeId);
  if (presence === "ready") return false;
  return presence === "lost" || world.state.nodeStatus.get(nodeId)?.unseenSinceMs !== undefined;
}

/** Some node neither answers nor is given up: what fits nowhere now may fit in a moment. */
export function isAnyNodeSilent(world: World): boolean {
  for (const { id } of world.state.node.values()) {
    if (world.presence.get(id) !== "ready" && !isLost(world, id)) return true;
  }
  return false;
}

/** Nothing of what the task's status says counts now. */
export function isOnLostNode(world: World, task: Task): boolean {
  return task.nodeId !== undefined && isLost(world, task.nodeId);
}

/** The node was removed or confirmed dead: the task will never come back. */
export function isOnDeadNode(world: World, task: Task): boolean {
  if (task.nodeId === undefined) return false;
  const node = world.state.node.get(task.nodeId);
  return node === undefined || node.confirmedDeadAtMs !== undefined;
}

/**
 * In service: running, seen, and found good by its agent, which knows every kind of check: davit's own, the image's, or, without
 * any, that it has run for its settle time. The agent's word alone counts, so that clocks that differ do no harm.
 */
export function isHealthy(world: World, task: Task): boolean {
  const status = world.state.taskStatus.get(task.id);
  return (
    task.desired === "running" && status?.state === "running" && status.healthy === true && !isOnLostNode(world, task)
  );
}

/** An attempt of it failed, whatever came after. One that the host or the engine ended, by a reboot, is no failure of the task. */
export function hasFailed(status: TaskStatus | undefined): boolean {
  return (status?.state === "running" && status.healthy === false) || failedAttempts(status) > 0;
}

/** It ended as its restart policy lets it end, and is left at that. */
export function isFinished(state: State, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  if (status?.exhausted !== true) return false;
  const condition = templateOf(state, task)?.restart.condition;
  return status.state === "complete" && condition !== "any";
}

/** It is healthy, or has done its work: nothing of it is waited for. */
export function isHealthyOrFinished(world: World, task: Task): boolean {
  return isHealthy(world, task) || isFinished(world.state, task);
}

/** Its restart policy allows no further attempt on this node, and does not say that this is its proper end. */
export function isUsedUp(state: State, task: Task): boolean {
  const status = state.taskStatus.get(task.id);
  if (status?.exhausted !== true || isFinished(state, task)) return false;
  return templateOf(state, task)?.restart.condition !== "none";
}

/** Its agent has not said yet that the container has the limits of the task's version. */
export function isResizing(state: State, task: Task): boolean {
  return task.resize !== undefined && state.taskStatus.get(task.id)?.limitsOf !== task.specVersion;
}

/** The engine would not change the running container: it is as outdated as before. */
export function isResizeRefused(state: State, task: Task): boolean {
  return task.resize !== undefined && state.taskStatus.get(task.id)?.unresizedTo === task.specVersion;
}

/** Whether a task that was changed in place has failed since. */
export function hasFailedSince(task: Task, status: TaskStatus | undefined): boolean {
  if (task.resize === undefined || status === undefined) return false;
  return (status.state === "running" && status.healthy === false) || failedAttempts(status) > task.resize.failures;
}
