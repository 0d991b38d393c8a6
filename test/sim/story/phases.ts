// In which phases of a cluster's life a fault finds it.

import type { State } from "../../../src/core/model/world.ts";

export const PHASES = [
  "idle",
  "placing",
  "canary",
  "switched",
  "promoting",
  "updating",
  "watching",
  "rolling back",
  "paused",
  "draining",
  "scaling",
] as const;
export type Phase = (typeof PHASES)[number];

/** What goes on now; `idle` when nothing does. */
export function phasesOf(state: State): readonly Phase[] {
  const phases = new Set<Phase>();
  for (const rollout of state.rollout.values()) {
    if (!state.service.has(rollout.id)) continue;
    if (rollout.state === "trial") phases.add("canary");
    else if (rollout.state === "switched") phases.add("switched");
    else if (rollout.state === "updating" && rollout.promotedAtMs !== undefined) phases.add("promoting");
    else if (rollout.state === "updating") phases.add(rollout.fromVersion === undefined ? "placing" : "updating");
    else if (rollout.state === "watching") phases.add("watching");
    else if (rollout.state === "rolling_back") phases.add("rolling back");
    else if (rollout.state === "paused" || rollout.state === "rollback_paused") phases.add("paused");
  }
  for (const task of state.task.values()) {
    if (
      task.desired === "running" &&
      task.nodeId !== undefined &&
      state.node.get(task.nodeId)?.availability === "drain"
    )
      phases.add("draining");
    if (task.desired === "shutdown" && task.desiredReason.startsWith("scaled to") && isStopping(state, task.id))
      phases.add("scaling");
  }
  return phases.size === 0 ? ["idle"] : [...phases];
}

function isStopping(state: State, taskId: string): boolean {
  const found = state.taskStatus.get(taskId)?.state;
  return found === "running" || found === "starting";
}
