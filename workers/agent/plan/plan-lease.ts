// Tasks that must never run twice: a lease of their own ends, and with it the container, whatever else is under way for the task. Nothing of
// them is started without a lease, nor at its end. Pure.

import type { TaskWork } from "../../../src/core/model/work.ts";
import { stop } from "./task-operations.ts";
import { isUp, type Operation, type PlanInput, type SeenContainer, type TaskRun } from "./types.ts";

/** An engine takes its time: nothing is started that would run only to be stopped, or not be up before that. */
const START_MARGIN_MS = 5_000;

/** Stops for what runs although its lease is over. Their subject is not the task's: what hangs there must not hold them up. */
export function stopsByLease(
  input: PlanInput,
  work: TaskWork,
  containers: readonly SeenContainer[],
): readonly Operation[] {
  const { taskId, leaseMs } = work;
  if (leaseMs === undefined || input.leaseLeftMs(leaseMs) > 0) return [];
  return containers
    .filter((container) => isUp(container) && !input.stopping.has(container.id))
    .map((container) => ({
      ...stop(taskId, container, leaseOver(leaseMs), work.container),
      subject: `lease/${container.id}`,
    }));
}

/** What a task waits for before its container may be started; undefined when it may. */
export function heldByLease(input: Pick<PlanInput, "leaseLeftMs">, { leaseMs }: TaskWork): string | undefined {
  if (leaseMs === undefined || input.leaseLeftMs(leaseMs) > START_MARGIN_MS) return undefined;
  return `waits for its lease: no coordinator has confirmed it for ${leaseMs / 1_000} s`;
}

/** When the lease ends if nobody confirms it, by the wall clock of the plan; undefined without one, or once it is over. */
export function leaseEndMs(input: PlanInput, { leaseMs }: TaskWork): number | undefined {
  if (leaseMs === undefined) return undefined;
  const leftMs = input.leaseLeftMs(leaseMs);
  return leftMs > 0 ? input.nowMs + leftMs : undefined;
}

/** Why it was stopped, in words. */
export function leaseOver(leaseMs: number): string {
  return `its lease is over: no coordinator has confirmed it for ${leaseMs / 1_000} s`;
}

/** What was to be stopped at its lease's end and was not goes on by a new one: how it ends then is its own affair. */
export function leasedAgain(
  input: PlanInput,
  { leaseMs = 0 }: TaskWork,
  run: TaskRun | undefined,
  containers: readonly SeenContainer[],
): TaskRun | undefined {
  if (run?.unleased === undefined || input.leaseLeftMs(leaseMs) <= 0) return run;
  if (!containers.some((container) => isUp(container) && !input.stopping.has(container.id))) return run;
  const { unleased: _over, ...rest } = run;
  return rest;
}
