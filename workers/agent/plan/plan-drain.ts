// How long a task that is to shut down goes on for those who are connected to it: until nobody is, or its drain time is over. New
// connections go elsewhere by then, since every node has left it out of its routes. Pure.

import type { TaskWork } from "../../../src/core/model/work.ts";
import { type Operation, type PlanInput, type SeenContainer, type TaskRun } from "./types.ts";

/** What is under way when the last node leaves it out arrives within it, over a slow link or a busy host too: nobody counts before. */
const IN_FLIGHT_MS = 250;
/** Later looks: a connection that outlived the first looks is a long one. */
const LAST_LOOK_MS = 1_000;

export type Drain =
  /** Nothing is waited for, or no longer. */
  | { readonly kind: "over" }
  | {
      readonly kind: "draining";
      readonly run: TaskRun;
      readonly operations: readonly Operation[];
      readonly wakeAtMs: number;
    };

/** What to do before the container of a task that shuts down is stopped. */
export function planDrain(input: PlanInput, work: TaskWork, run: TaskRun, container: SeenContainer): Drain {
  const drainMs = work.drainMs ?? 0;
  if (drainMs === 0 || !input.drains || container.state !== "running" || run.condemned !== undefined)
    return { kind: "over" };
  const { nowMs } = input;
  // a wall clock that was set back must not make it longer
  const sinceMs = Math.min(run.drainSinceMs ?? nowMs, nowMs);
  const endsAtMs = sinceMs + drainMs;
  const seen = input.connections.get(work.taskId);
  const countsFromMs = sinceMs + IN_FLIGHT_MS;
  if (nowMs >= endsAtMs || (seen !== undefined && seen.open === 0 && seen.atMs >= countsFromMs))
    return { kind: "over" };
  const draining = { ...run, drainSinceMs: sinceMs, status: { ...run.status, reason: reasonOf(drainMs) } };
  const dueAtMs =
    seen === undefined || seen.atMs < countsFromMs ? countsFromMs : seen.atMs + pauseMs(seen.atMs - sinceMs);
  if (dueAtMs > nowMs && dueAtMs <= nowMs + LAST_LOOK_MS)
    return { kind: "draining", run: draining, operations: [], wakeAtMs: Math.min(dueAtMs, endsAtMs) };
  const { taskId, address } = work;
  const look: Operation = { kind: "countConnections", pool: "look", subject: `drain/${taskId}`, taskId, address };
  return { kind: "draining", run: draining, operations: [look], wakeAtMs: endsAtMs };
}

/** The longer it has drained, the rarer the looks. */
function pauseMs(drainedMs: number): number {
  return Math.min(drainedMs / 2, LAST_LOOK_MS);
}

function reasonOf(drainMs: number): string {
  return `open connections have up to ${Math.round(drainMs / 1_000)} s to end`;
}
