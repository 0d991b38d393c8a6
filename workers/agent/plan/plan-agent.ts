// The agent's whole plan: work, what the engine has, and what is remembered of each task → what to do next. Planning again after
// everything was done and seen yields nothing. Pure.

import { asId, type TaskId } from "../../../src/core/model/ids.ts";
import { planRemoval, planTask, type TaskPlan } from "./plan-task.ts";
import type { AgentPlan, Operation, PlanInput, ProbeTarget, SeenContainer, TaskRun } from "./types.ts";

/** Plans every task of the work, and every container of ours that is of none. */
export function planAgent(input: PlanInput): AgentPlan {
  const byTask = groupByTask(input);
  const operations = new Map<string, Operation>();
  const probes: ProbeTarget[] = [];
  const runs: TaskRun[] = [];
  const forget: TaskId[] = [];
  const unsettled = new Set<TaskId>();
  let wakeAtMs = Infinity;
  for (const taskId of taskIds(input, byTask)) {
    const run = input.runs.get(taskId);
    const plan = planOne(input, taskId, run, byTask.get(taskId) ?? []);
    if (plan.run !== undefined && plan.run !== run) runs.push(plan.run);
    if (plan.forget === true) forget.push(taskId);
    if (plan.probe !== undefined) probes.push(plan.probe);
    if (!plan.settled) unsettled.add(taskId);
    // two tasks may need one image or volume: one operation for both
    for (const operation of plan.operations)
      if (!input.busy.has(operation.subject)) operations.set(operation.subject, operation);
    wakeAtMs = Math.min(wakeAtMs, plan.wakeAtMs ?? Infinity);
  }
  return {
    runs,
    forget,
    probes,
    unsettled,
    operations: [...operations.values()],
    ...(wakeAtMs === Infinity ? {} : { wakeAtMs }),
  };
}

function planOne(
  input: PlanInput,
  taskId: TaskId,
  run: TaskRun | undefined,
  containers: readonly SeenContainer[],
): TaskPlan {
  const work = input.tasks.get(taskId);
  if (work !== undefined) return planTask(input, work, run, containers);
  return planRemoval(input, taskId, run, containers);
}

/** Tasks by id, so that a plan is a function of its input alone. Without work nothing is anybody's to remove. */
function taskIds(input: PlanInput, byTask: ReadonlyMap<TaskId, readonly SeenContainer[]>): readonly TaskId[] {
  if (input.node === undefined) return [];
  return [...new Set([...input.tasks.keys(), ...input.runs.keys(), ...byTask.keys()])].toSorted();
}

function groupByTask(input: PlanInput): ReadonlyMap<TaskId, readonly SeenContainer[]> {
  const groups = new Map<TaskId, SeenContainer[]>();
  for (const container of input.containers) {
    const taskId = container.labels["davit.task"];
    if (taskId === undefined || container.labels["davit.cluster"] !== input.clusterId) continue;
    const group = groups.get(asId<"task">(taskId)) ?? [];
    group.push(container);
    groups.set(asId<"task">(taskId), group);
  }
  return groups;
}
