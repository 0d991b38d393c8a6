// The operations on one task's containers, as the rules of plan-task.ts ask for them. Pure.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { ContainerSpec } from "../../../src/core/model/service-spec.ts";
import { type Operation, type SeenContainer, taskSubject } from "./types.ts";

/** Stops with the grace and the hooks of the task's spec; without one, by what the container was made with. */
export function stop(
  taskId: TaskId,
  container: SeenContainer,
  reason: string,
  spec: ContainerSpec | undefined,
): Operation {
  return {
    kind: "stop",
    pool: "stop",
    subject: taskSubject(taskId),
    taskId,
    containerId: container.id,
    reason,
    hooks: container.state === "running" ? (spec?.preStop ?? []) : [],
    ...(spec === undefined ? {} : { graceMs: spec.stopGraceMs }),
  };
}

export function remove(taskId: TaskId, container: SeenContainer, reason: string): Operation {
  return { kind: "remove", pool: "make", subject: taskSubject(taskId), taskId, containerId: container.id, reason };
}

export function examine(taskId: TaskId, container: SeenContainer): Operation {
  return { kind: "examine", pool: "look", subject: taskSubject(taskId), taskId, containerId: container.id };
}

export function start(taskId: TaskId, container: SeenContainer, isRepeat: boolean): Operation {
  return { kind: "start", pool: "start", subject: taskSubject(taskId), taskId, containerId: container.id, isRepeat };
}

/** Its subject is not the task's: a task whose hook hangs can still be stopped. */
export function postStart(taskId: TaskId, container: SeenContainer, attempt: number, spec: ContainerSpec): Operation {
  return {
    kind: "postStart",
    pool: "hook",
    subject: `hook/${taskId}`,
    taskId,
    containerId: container.id,
    attempt,
    hooks: spec.postStart ?? [],
  };
}
