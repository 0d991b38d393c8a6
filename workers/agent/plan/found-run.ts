// The run of a task that nothing is remembered of: a new task, or one of an agent that lost its files. Pure.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskStatus } from "../../../src/core/model/records.ts";
import { firstRun, isEnded, nextAttempt } from "./transitions.ts";
import { attemptOf, type PlanInput, type SeenContainer, type TaskRun } from "./types.ts";

/**
 * Its newest container is adopted; without one of the attempt that the coordinator knows of, that attempt goes on as if it were remembered:
 * one that began anew at 1 would count for an old one, and what became of it would be believed by nobody.
 */
export function found(input: PlanInput, taskId: TaskId, containers: readonly SeenContainer[]): TaskRun {
  const newest = containers.toSorted((a, b) => attemptOf(b) - attemptOf(a))[0];
  const known = input.knownOf(taskId);
  const first = firstRun(taskId, input.bootId, input.nowMs);
  if (known !== undefined && (newest === undefined || attemptOf(newest) < known.attempt))
    return remembered(known, first, input);
  if (newest === undefined) return first;
  return { ...first, status: { ...first.status, attempt: attemptOf(newest), containerId: newest.id } };
}

/** Whether another attempt follows was decided before; when it was due is not known, so it is now. */
function remembered(known: TaskStatus, first: TaskRun, { bootId, nowMs }: PlanInput): TaskRun {
  const run = { ...first, status: known };
  return isEnded(known.state) && !known.exhausted ? nextAttempt(run, bootId, nowMs) : run;
}
