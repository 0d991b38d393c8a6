// The change of a service from one version to another: on trial first or not, when the next slots change, when a batch is done, when the watching
// ends. One record says where it stands, so it resumes after a restart of the coordinator. Pure.

import type { Service } from "../model/records.ts";
import type { Rollout, RolloutState, UpdateStatus } from "../model/rollout.ts";
import type { UpdatePolicy } from "../model/update-policy.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import type { Slot } from "../reconcile/slots.ts";
import { planBatch, planHandovers, type View } from "./batch.ts";
import { begin } from "./begin.ts";
import { planFailures } from "./failures.ts";
import { policyFor } from "./policy.ts";
import { isLate, planLate, planProgress } from "./progress.ts";
import { isOurs, type Tracks } from "./tracks.ts";
import { planSwitched, planTrial } from "./trial.ts";
import { look } from "./view.ts";
import { planWishes } from "./wishes.ts";

/** Plans the next steps of a service's rollout on slots that are at rest otherwise; `tracks` while two versions run side by side. */
export function planRollout(
  planning: Planning,
  context: ServiceContext,
  slots: readonly Slot[],
  tracks: Tracks | undefined,
): void {
  const { rollout } = context;
  if (rollout === undefined || !isOurs(context)) {
    planning.noteRollout(begin(planning, context), context.service.changeReason);
    return;
  }
  if (planWishes(planning, context, rollout)) return;
  const policy = policyFor(context.version.spec, rollout, slots.length);
  const counted = rollout.state === "trial" && tracks !== undefined ? tracks.fresh.length : slots.length;
  if (planFailures(planning, context, rollout, policy, counted)) return;
  if (tracks !== undefined) {
    if (rollout.state === "trial" && isHeldBack(planning, context, rollout)) return;
    if (rollout.state === "trial") planTrial(planning, context, rollout, policy, tracks);
    else if (rollout.state === "switched") planSwitched(planning, context, rollout, policy);
    return;
  }
  const view = look(planning, context, rollout, slots);
  switch (rollout.state) {
    case "updating":
    case "rolling_back":
      if (isHeldBack(planning, context, rollout)) return;
      advance(planning, context, rollout, policy, view);
      return;
    case "watching":
      if (!catchUp(planning, context, policy, view)) finishWatching(planning, context.service, rollout, policy);
      return;
    case "completed":
    case "rolled_back":
      catchUp(planning, context, policy, view);
      return;
    default:
      return;
  }
}

/** Something else comes first, or came first until now: the rollout says so, and no time counts meanwhile. */
function isHeldBack(planning: Planning, context: ServiceContext, rollout: Rollout): boolean {
  const reason = planning.heldBack(context);
  const message = reason ?? context.service.changeReason;
  if (rollout.message !== message && (reason !== undefined || rollout.isHeld === true)) {
    const { isHeld: _, ...rest } = rollout;
    const progress = { done: 0, of: 0, ...rollout.progress, atMs: planning.nowMs };
    const record: Rollout =
      reason === undefined ? { ...rest, message, progress } : { ...rollout, message, isHeld: true };
    planning.noteRollout(record, message);
    // what follows counts from the record as it is now
    return true;
  }
  return reason !== undefined;
}

/** Slots that were out of reach while the others changed: a node that comes back brings its older task along. True if one changes. */
function catchUp(planning: Planning, context: ServiceContext, policy: UpdatePolicy, view: View): boolean {
  return planHandovers(planning, context, policy, view) || planBatch(planning, context, policy, view);
}

function advance(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  view: View,
): void {
  const { done, failed, outdated, changing } = view;
  if (outdated.length === 0 && changing.length === 0) {
    // the first deploy of a service is over when all of it is healthy, however long that takes
    if (failed.length === 0 || rollout.fromVersion !== undefined) converge(planning, context, rollout, policy, view);
    return;
  }
  const total = done.length + failed.length + outdated.length + changing.length;
  if (rollout.fromVersion !== undefined && planProgress(planning, rollout, done.length + failed.length, total)) return;
  if (planHandovers(planning, context, policy, view)) return;
  if (outdated.length > 0 && isBatchDue(planning, rollout, policy, view)) {
    if (planBatch(planning, context, policy, view)) {
      if (rollout.batchDoneAtMs === undefined) return;
      const { batchDoneAtMs: _over, ...next } = rollout;
      planning.noteRollout(next, "the next batch starts");
      return;
    }
  }
  if (isLate(planning, rollout, policy)) planLate(planning, context, rollout, policy, [...changing, ...outdated]);
}

/** Without a delay a slot follows as soon as one is done; with one, the next batch waits after the whole batch is. */
function isBatchDue(planning: Planning, rollout: Rollout, policy: UpdatePolicy, view: View): boolean {
  if (policy.delayMs === 0) return true;
  if (view.changing.length > 0) return false;
  if (rollout.batchDoneAtMs !== undefined) return planning.isDue(rollout.batchDoneAtMs + policy.delayMs);
  if (view.done.length + view.failed.length === 0) return true;
  planning.isDue(planning.nowMs + policy.delayMs);
  planning.noteRollout(
    { ...rollout, batchDoneAtMs: planning.nowMs },
    `a batch is done; the next starts in ${policy.delayMs / 1_000} s`,
  );
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
  const failures = failed.length === 0 ? "" : notHealthy(failed.length, failed.length + done.length);
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
  planning.noteRollout({ ...rollout, state: "watching", convergedAtMs: planning.nowMs, message }, message);
}

function notHealthy(count: number, of: number): string {
  return `${count} of ${of} tasks ${count === 1 ? "is" : "are"} not healthy`;
}

function finishWatching(planning: Planning, service: Service, rollout: Rollout, policy: UpdatePolicy): void {
  if (!planning.isDue((rollout.convergedAtMs ?? rollout.startedAtMs) + policy.monitorMs)) return;
  complete(planning, service, rollout, "completed", "the new version is stable");
}

function complete(planning: Planning, service: Service, rollout: Rollout, state: RolloutState, message: string): void {
  const convergedAtMs = rollout.convergedAtMs ?? planning.nowMs;
  const record: Rollout = { ...rollout, state, message, convergedAtMs, completedAtMs: planning.nowMs };
  planning.noteRollout(record, message);
  const isClean = rollout.failedTaskIds.length <= (rollout.forgiven ?? 0) || rollout.fromVersion === undefined;
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
  trial: "updating",
  switched: "updating",
  updating: "updating",
  watching: "updating",
  paused: "paused",
  completed: "completed",
  rolling_back: "rollback_started",
  rollback_paused: "rollback_paused",
  rolled_back: "rollback_completed",
  superseded: "completed",
};
