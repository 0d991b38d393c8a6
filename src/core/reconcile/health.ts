// Whether a task is in service, and whether it failed: asked by rollouts, replacements and progress, answered in one place. Pure.

import type { Task, TaskStatus } from "../model/records.ts";
import type { TaskTemplate } from "../model/service-spec.ts";
import { type State, versionKey, type World } from "../model/world.ts";

/** The template that a task was made from. */
export function templateOf(state: State, task: Task): TaskTemplate | undefined {
  return state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template;
}

/** Its node is gone for good, or its lease ended: nothing of what the task's status says counts now. */
export function isOnLostNode(world: World, task: Task): boolean {
  if (task.nodeId === undefined) return false;
  const node = world.state.node.get(task.nodeId);
  if (node === undefined || node.confirmedDeadAtMs !== undefined) return true;
  return world.presence.get(task.nodeId) === "lost";
}

/** The node was removed or confirmed dead: the task will never come back. */
export function isOnDeadNode(world: World, task: Task): boolean {
  if (task.nodeId === undefined) return false;
  const node = world.state.node.get(task.nodeId);
  return node === undefined || node.confirmedDeadAtMs !== undefined;
}

/** When a task counts as healthy: now, at a time to come if nothing happens, or not foreseeable. */
export function healthyAtMs(world: World, task: Task): number | undefined {
  const status = world.state.taskStatus.get(task.id);
  if (task.desired !== "running" || status?.state !== "running" || isOnLostNode(world, task)) return undefined;
  if (status.healthy !== undefined) return status.healthy ? 0 : undefined;
  const template = templateOf(world.state, task);
  if (template === undefined || (template.health.probe.kind !== "none" && template.health.probe.kind !== "image"))
    return undefined;
  return status.stateAtMs + template.settleMs;
}

/** In service: running, seen, and past its check or its settling time. */
export function isHealthy(world: World, task: Task, nowMs: number): boolean {
  const atMs = healthyAtMs(world, task);
  return atMs !== undefined && atMs <= nowMs;
}

/** An attempt of it failed, whatever came after. */
export function hasFailed(status: TaskStatus | undefined): boolean {
  if (status === undefined) return false;
  return (
    status.state === "failed" ||
    status.state === "rejected" ||
    status.attempt > 1 ||
    (status.state === "running" && status.healthy === false)
  );
}

/** The agent will make no further attempt. */
export function isExhausted(status: TaskStatus | undefined): boolean {
  return status?.exhausted === true;
}
