// What is no longer needed: ended tasks beyond five a slot, those of slots and services that are no more, configs that nobody mounts. Pure.

import type { ServiceId } from "../model/ids.ts";
import { KEPT_TASKS_PER_SLOT, type Task } from "../model/records.ts";
import { mountedConfigs } from "../work/work-of.ts";
import { isOnDeadNode } from "./health.ts";
import type { Planning } from "./planning.ts";

/** Forgets ended tasks of one slot beyond `keep`, the oldest first. */
export function planHistory(planning: Planning, ended: readonly Task[], keep: number = KEPT_TASKS_PER_SLOT): void {
  const oldestFirst = ended.toSorted((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0) || (a.id < b.id ? -1 : 1));
  for (const task of oldestFirst.slice(0, Math.max(0, ended.length - keep))) planForget(planning, task);
}

/** Takes an ended task's traces away. */
export function planForget(planning: Planning, task: Task): void {
  planning.steps.push({
    kind: "forget",
    taskId: task.id,
    now: task.nodeId === undefined || isOnDeadNode(planning.world, task),
  });
}

/** Ended tasks that nobody will report gone: on a node that was removed, or to be removed by an agent that is dead. */
export function planLeftovers(planning: Planning, tasks: readonly Task[]): void {
  for (const task of tasks) {
    if (task.desired === "running" || task.nodeId === undefined) continue;
    const isRemoved = !planning.world.state.node.has(task.nodeId);
    if (isRemoved || (task.desired === "remove" && isOnDeadNode(planning.world, task))) {
      planning.steps.push({ kind: "forget", taskId: task.id, now: true });
    }
  }
}

/** A removed service: its tasks end in order, then every trace goes. */
export function planRemoved(planning: Planning, serviceId: ServiceId, tasks: readonly Task[]): void {
  for (const task of tasks) {
    if (task.desired === "running") {
      planning.finishWithdrawal(task);
      if (task.withdrawal === undefined) planning.end(task, "its service was removed");
    } else if (task.desired === "shutdown" && !planning.isEnding(task)) {
      planForget(planning, task);
    }
  }
  planLeftovers(planning, tasks);
  if (tasks.length > 0) return;
  const { state } = planning.world;
  const versions = [...state.serviceVersion.values()]
    .filter((version) => version.serviceId === serviceId)
    .map((version) => version.id);
  const runs = [...state.run.values()].filter((run) => run.serviceId === serviceId).map((run) => run.id);
  if (versions.length > 0 || state.rollout.has(serviceId) || state.job.has(serviceId) || runs.length > 0)
    planning.steps.push({ kind: "clear", serviceId, versions, runs });
}

/** Contents of configs that no kept version of any service mounts. */
export function planConfigs(planning: Planning): void {
  const { state } = planning.world;
  if (state.configFile.size === 0) return;
  const mounted = mountedConfigs([...state.serviceVersion.values()].map((version) => version.spec.template));
  const ids = [...state.configFile.keys()].filter((id) => !mounted.has(id)).sort();
  if (ids.length > 0) planning.steps.push({ kind: "dropConfigs", ids });
}
