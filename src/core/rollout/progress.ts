// Whether a rollout gets on: the most slots that were done, and since when. One that makes no progress for too long ends, and says for what it
// waited. While it is paused, or waits for the next batch's time, nothing is counted. Pure.

import type { Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import type { UpdatePolicy } from "../model/update-policy.ts";
import { isHealthy } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import type { Slot } from "../reconcile/slots.ts";
import { endRollout } from "./failures.ts";
import { progressDeadlineMs, spanOf } from "./policy.ts";

/** Notes that more slots are done than ever before, or that it is about another number of them. True if there was something to note. */
export function planProgress(planning: Planning, rollout: Rollout, done: number, of: number): boolean {
  const { progress } = rollout;
  if (done <= (progress?.done ?? 0) && [0, of].includes(progress?.of ?? 0)) return false;
  const next: Rollout = { ...rollout, progress: { done, of, atMs: planning.nowMs } };
  planning.steps.push({ kind: "progress", rollout: next });
  return true;
}

/** A first deploy has nothing that it could go back to: it tries for as long as it takes. */
export function isLate(planning: Planning, rollout: Rollout, policy: UpdatePolicy): boolean {
  if (rollout.fromVersion === undefined) return false;
  const sinceMs = rollout.progress?.atMs ?? rollout.promotedAtMs ?? rollout.startedAtMs;
  const batchDueAtMs = rollout.batchDoneAtMs === undefined ? 0 : rollout.batchDoneAtMs + policy.delayMs;
  return planning.isDue(Math.max(sinceMs, batchDueAtMs) + progressDeadlineMs(policy));
}

/** Ends a rollout that makes no progress, by its policy, and says what it waited for in `slots`. */
export function planLate(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  slots: readonly Slot[],
): void {
  const span = spanOf(progressDeadlineMs(policy));
  endRollout(planning, context, rollout, policy, `no progress for ${span}: it waited for ${awaited(planning, slots)}`);
}

/** What a rollout waits for in these slots, in words. */
function awaited(planning: Planning, slots: readonly Slot[]): string {
  const tasks = slots.flatMap((slot) => [...slot.live, ...slot.ending]);
  const isOpen = (task: Task): boolean => !isHealthy(planning.world, task);
  const newestFirst = tasks.filter(isOpen).toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1));
  const [task] = newestFirst;
  if (task === undefined) return slots.length === 1 ? "one slot" : `${slots.length} slots`;
  const name = planning.name(task);
  if (task.nodeId === undefined) return `a node for ${name}${task.waiting === undefined ? "" : ` (${task.waiting})`}`;
  const where = `${name} on ${planning.nodeName(task.nodeId)}`;
  if (task.desired !== "running" || task.withdrawal !== undefined) return `${where} to stop`;
  const status = planning.world.state.taskStatus.get(task.id);
  const reason = status === undefined || status.reason === "" ? "" : `: ${status.reason}`;
  return `${where} to become healthy; it is ${status?.state ?? "assigned"}${reason}`;
}
