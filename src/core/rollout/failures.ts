// What a failed task does to a rollout: each counts once; too many of them pause it or send the service back. A failed version
// gets no further task, and a rollback is never rolled back. Pure.

import type { TaskId } from "../model/ids.ts";
import type { Task } from "../model/records.ts";
import type { Rollout, RolloutState } from "../model/rollout.ts";
import type { UpdatePolicy } from "../model/update-policy.ts";
import { hasFailed, hasFailedSince, isOnLostNode } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { lastGoodVersion } from "./last-good.ts";

const CAN_FAIL: ReadonlySet<RolloutState> = new Set(["trial", "switched", "updating", "rolling_back", "watching"]);

/** Counts new failures and acts when they are too many. True if that ends this pass. */
export function planFailures(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  slotCount: number,
): boolean {
  if (!CAN_FAIL.has(rollout.state)) return false;
  // a first deploy has nothing to go back to: it keeps trying, and says why it does not succeed
  const canAct = rollout.fromVersion !== undefined && policy.failureAction !== "continue";
  const counted = canAct ? rollout.failedTaskIds : rollout.failedTaskIds.filter((id) => isKnown(planning, id));
  const failed = failedTasks(planning, context, rollout);
  const added = failed.filter((task) => !counted.includes(task.id));
  const failedTaskIds: readonly TaskId[] = [...counted, ...added.map((task) => task.id)];
  const counting = failedTaskIds.length - (rollout.forgiven ?? 0);
  if (canAct && counting > 0 && counting > policy.maxFailureRatio * slotCount) {
    endRollout(planning, context, { ...rollout, failedTaskIds }, policy, failureReason(planning, failed.at(-1)));
    return true;
  }
  if (added.length === 0) return false;
  const why = `${failedTaskIds.length} of its tasks failed so far: ${failureReason(planning, added.at(-1))}`;
  planning.noteRollout({ ...rollout, failedTaskIds }, why);
  return true;
}

function isKnown(planning: Planning, id: TaskId): boolean {
  return planning.world.state.task.has(id);
}

function failedTasks(planning: Planning, context: ServiceContext, rollout: Rollout): readonly Task[] {
  return context.tasks.filter(
    (task) =>
      task.specVersion === rollout.toVersion &&
      task.force === rollout.force &&
      !isOnLostNode(planning.world, task) &&
      !isOnDrainingNode(planning, task) &&
      hasFailedIn(planning, rollout, task),
  );
}

function hasFailedIn(planning: Planning, rollout: Rollout, task: Task): boolean {
  const status = planning.world.state.taskStatus.get(task.id);
  if (task.createdAtMs >= rollout.startedAtMs) return hasFailed(status);
  return (task.resize?.atMs ?? 0) >= rollout.startedAtMs && hasFailedSince(task, status);
}

/** Whoever empties a node ends what runs there: that says nothing about the version. */
function isOnDrainingNode(planning: Planning, task: Task): boolean {
  return task.nodeId !== undefined && planning.world.state.node.get(task.nodeId)?.availability === "drain";
}

function failureReason(planning: Planning, task: Task | undefined): string {
  const status = task === undefined ? undefined : planning.world.state.taskStatus.get(task.id);
  if (task === undefined || status === undefined) return "too many of its tasks failed";
  const exit = status.exitCode === undefined ? "" : ` with exit code ${status.exitCode}`;
  const reason = status.reason === "" ? `an attempt of it ended${exit}` : status.reason;
  return `${planning.name(task)} on ${planning.nodeName(task.nodeId)}: ${reason}`;
}

/** Ends a rollout that fails: the service goes back to what was good, or all stops where it is until a user decides. */
export function endRollout(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  why: string,
): void {
  const { service } = context;
  const goesBack = policy.failureAction === "rollback" && !service.isRollback;
  const target = goesBack ? lastGoodVersion(planning.world.state, service.id, rollout) : undefined;
  if (target === undefined) {
    const state: RolloutState = service.isRollback ? "rollback_paused" : "paused";
    const paused = { from: rollout.state, atMs: planning.nowMs, byHand: false };
    // what was asked before it paused does not let it go on
    const answered = { promotions: rollout.answered?.promotions ?? 0, resumes: service.asked?.resumes ?? 0 };
    planning.noteRollout({ ...rollout, state, paused, answered, message: `paused: ${why}` }, why);
  } else {
    const { version: toVersion } = target;
    const because = `version ${rollout.toVersion} failed: ${why}`;
    planning.steps.push({ kind: "rollback", service, toVersion, atMs: planning.nowMs, why: because });
  }
  if (!service.isRollback) endUnplaced(planning, context, rollout);
}

/** Tasks of the failed version that have no node yet get none. */
function endUnplaced(planning: Planning, { tasks }: ServiceContext, rollout: Rollout): void {
  for (const task of tasks) {
    if (task.specVersion !== rollout.toVersion || task.nodeId !== undefined || task.desired !== "running") continue;
    planning.end(task, `version ${rollout.toVersion} failed`);
  }
}
