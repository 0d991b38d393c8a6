// The change of a service from one version to another: when the next slots change, when a batch is done, when the watching ends.
// One record says where it stands, so it resumes after a restart of the coordinator. Pure.

import type { Rollout, RolloutState, Service, Task, UpdateStatus } from "../model/records.ts";
import type { UpdatePolicy } from "../model/service-spec.ts";
import { hasFailed, isFinished, isHealthy, isResizing } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import type { Slot } from "../reconcile/slots.ts";
import { planBatch, planHandovers, type View } from "./batch.ts";
import { planFailures } from "./failures.ts";

/** Plans the next steps of a service's rollout on slots that are at rest otherwise. */
export function planRollout(planning: Planning, context: ServiceContext, slots: readonly Slot[]): void {
  const { service, rollout } = context;
  if (rollout === undefined || rollout.toVersion !== service.version || rollout.force !== service.force) {
    planning.steps.push({ kind: "rollout", rollout: begin(planning, context), why: service.changeReason });
    return;
  }
  const policy = policyOf(context, rollout);
  if (planFailures(planning, context, rollout, policy, slots.length)) return;
  const view = look(planning, context, rollout, slots);
  switch (rollout.state) {
    case "updating":
    case "rolling_back":
      if (isHeldBack(planning, context, rollout)) return;
      advance(planning, context, rollout, policy, view);
      return;
    case "watching":
      if (!catchUp(planning, context, policy, view)) finishWatching(planning, service, rollout, policy);
      return;
    case "completed":
    case "rolled_back":
      catchUp(planning, context, policy, view);
      return;
    default:
      return;
  }
}

/** Something else comes first; the rollout says so. */
function isHeldBack(planning: Planning, context: ServiceContext, rollout: Rollout): boolean {
  const reason = planning.heldBack(context);
  const message = reason ?? context.service.changeReason;
  if (rollout.message !== message && (reason !== undefined || rollout.isHeld === true)) {
    const { isHeld: _, ...rest } = rollout;
    const record: Rollout = reason === undefined ? { ...rest, message } : { ...rollout, message, isHeld: true };
    planning.steps.push({ kind: "rollout", rollout: record, why: message });
  }
  return reason !== undefined;
}

/** Slots that were out of reach while the others changed: a node that comes back brings its older task along. True if one changes. */
function catchUp(planning: Planning, context: ServiceContext, policy: UpdatePolicy, view: View): boolean {
  return planHandovers(planning, context, policy, view) || planBatch(planning, context, policy, view);
}

function begin(planning: Planning, { service, rollout }: ServiceContext): Rollout {
  // made anew by force: from what it is to what it is
  const fromVersion = rollout?.toVersion === service.version ? service.version : service.previousVersion;
  return {
    id: service.id,
    toVersion: service.version,
    force: service.force,
    state: service.isRollback ? "rolling_back" : "updating",
    startedAtMs: planning.nowMs,
    message: service.changeReason,
    failedTaskIds: [],
    ...(fromVersion === undefined ? {} : { fromVersion }),
  };
}

function policyOf({ version }: ServiceContext, rollout: Rollout): UpdatePolicy {
  return rollout.state === "rolling_back" ? version.spec.rollback : version.spec.update;
}

function look(planning: Planning, context: ServiceContext, rollout: Rollout, slots: readonly Slot[]): View {
  const done: Slot[] = [];
  const failed: Slot[] = [];
  const outdated: Slot[] = [];
  const changing: Slot[] = [];
  for (const slot of slots) {
    const current = slot.live.filter((task) => planning.isCurrent(context, task));
    const older = slot.live.length - current.length;
    const { state } = planning.world;
    const isSettled = current.some(
      (task) => (isHealthy(planning.world, task) && !isResizing(state, task)) || isFinished(state, task),
    );
    const stopsOlder = slot.ending.some((task) => !planning.isCurrent(context, task));
    if (isSettled && older === 0) done.push(slot);
    else if (current.length === 0 && older > 0 && !stopsOlder) outdated.push(slot);
    else if (hasFailedIn(planning, context, slot)) failed.push(slot);
    else changing.push(slot);
  }
  const isOurs = (slot: Slot): boolean => lastTasks(slot).some((task) => rollout.failedTaskIds.includes(task.id));
  return { done, failed, tolerated: failed.filter(isOurs).length, outdated, changing };
}

/** Its task of the current template failed, or the last one did and the next is still to come. */
function hasFailedIn(planning: Planning, context: ServiceContext, slot: Slot): boolean {
  return lastTasks(slot).some(
    (task) =>
      planning.isCurrent(context, task) &&
      !isResizing(planning.world.state, task) &&
      hasFailed(planning.world.state.taskStatus.get(task.id)),
  );
}

function lastTasks(slot: Slot): readonly Task[] {
  return slot.live.length > 0 ? slot.live : slot.ended.slice(-1);
}

function advance(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  view: View,
): void {
  if (view.outdated.length === 0 && view.changing.length === 0) {
    // the first deploy of a service is over when all of it is healthy, however long that takes
    if (view.failed.length === 0 || rollout.fromVersion !== undefined)
      converge(planning, context, rollout, policy, view);
    return;
  }
  if (planHandovers(planning, context, policy, view)) return;
  if (view.outdated.length === 0 || !isBatchDue(planning, rollout, policy, view)) return;
  if (planBatch(planning, context, policy, view) && rollout.batchDoneAtMs !== undefined) {
    const { batchDoneAtMs: _over, ...next } = rollout;
    planning.steps.push({ kind: "rollout", rollout: next, why: "the next batch starts" });
  }
}

/** Without a delay a slot follows as soon as one is done; with one, the next batch waits after the whole batch is. */
function isBatchDue(planning: Planning, rollout: Rollout, policy: UpdatePolicy, view: View): boolean {
  if (policy.delayMs === 0) return true;
  if (view.changing.length > 0) return false;
  if (rollout.batchDoneAtMs !== undefined) return planning.isDue(rollout.batchDoneAtMs + policy.delayMs);
  if (view.done.length + view.failed.length === 0) return true;
  planning.isDue(planning.nowMs + policy.delayMs);
  planning.steps.push({
    kind: "rollout",
    rollout: { ...rollout, batchDoneAtMs: planning.nowMs },
    why: `a batch is done; the next starts in ${policy.delayMs / 1_000} s`,
  });
  return false;
}

function converge(
  planning: Planning,
  { service, version }: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  view: View,
): void {
  const { failed, done } = view;
  const failures =
    failed.length === 0 ? "" : `${failed.length} of ${failed.length + done.length} tasks are not healthy`;
  if (rollout.state === "rolling_back") {
    const message = `rolled back to version ${rollout.toVersion}: ${service.changeReason}`;
    complete(planning, service, rollout, "rolled_back", failures === "" ? message : `${message}; ${failures}`);
    return;
  }
  if (failures !== "") {
    complete(planning, service, rollout, "completed", failures);
    return;
  }
  if (policy.monitorMs === 0 || version.stable) {
    complete(planning, service, rollout, "completed", "every task is healthy");
    return;
  }
  const message = `every task is healthy; watching for ${policy.monitorMs / 1_000} s`;
  planning.isDue(planning.nowMs + policy.monitorMs);
  planning.steps.push({
    kind: "rollout",
    rollout: { ...rollout, state: "watching", convergedAtMs: planning.nowMs, message },
    why: message,
  });
}

function finishWatching(planning: Planning, service: Service, rollout: Rollout, policy: UpdatePolicy): void {
  if (!planning.isDue((rollout.convergedAtMs ?? rollout.startedAtMs) + policy.monitorMs)) return;
  complete(planning, service, rollout, "completed", "the new version is stable");
}

function complete(planning: Planning, service: Service, rollout: Rollout, state: RolloutState, message: string): void {
  const convergedAtMs = rollout.convergedAtMs ?? planning.nowMs;
  const record: Rollout = { ...rollout, state, message, convergedAtMs, completedAtMs: planning.nowMs };
  planning.steps.push({ kind: "rollout", rollout: record, why: message });
  const isClean = rollout.failedTaskIds.length === 0 || rollout.fromVersion === undefined;
  if (isClean && planning.version(service.id, rollout.toVersion)?.stable === false)
    planning.steps.push({ kind: "stable", service, version: rollout.toVersion });
}

/** What Swarm's users know as UpdateStatus; absent while a service has only been created. */
export function updateStatusOf(rollout: Rollout | undefined): UpdateStatus | undefined {
  if (rollout?.fromVersion === undefined) return undefined;
  return {
    state: STATUS[rollout.state],
    startedAtMs: rollout.startedAtMs,
    message: rollout.message,
    ...(rollout.completedAtMs === undefined ? {} : { completedAtMs: rollout.completedAtMs }),
  };
}

const STATUS: Readonly<Record<RolloutState, UpdateStatus["state"]>> = {
  updating: "updating",
  watching: "updating",
  paused: "paused",
  completed: "completed",
  rolling_back: "rollback_started",
  rollback_paused: "rollback_paused",
  rolled_back: "rollback_completed",
  superseded: "completed",
};
