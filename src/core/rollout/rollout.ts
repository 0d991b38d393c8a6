// The change of a service from one version to another: which slots change next, when a batch is done, what a failure does, when the
// watching ends. One record says where it stands, so it resumes after a restart of the coordinator. Pure.

import type { TaskId } from "../model/ids.ts";
import type { Rollout, RolloutState, Service, ServiceVersion, Task, UpdateStatus } from "../model/records.ts";
import type { UpdatePolicy } from "../model/service-spec.ts";
import { hasFailed, isHealthy, isOnLostNode, healthyAtMs } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { needsStopFirst, type Slot } from "../reconcile/slots.ts";

const MOVING: ReadonlySet<RolloutState> = new Set(["updating", "rolling_back"]);

type View = {
  /** Slots that hold a healthy task of the current template and nothing else. */
  readonly done: readonly Slot[];
  /** Slots with tasks of an older template only. */
  readonly outdated: readonly Slot[];
  /** Slots between the two. */
  readonly changing: readonly Slot[];
};

/** Plans the next steps of a service's rollout on slots that are at rest otherwise. */
export function planRollout(planning: Planning, context: ServiceContext, slots: readonly Slot[]): void {
  const { service, rollout } = context;
  const view = look(planning, context, slots);
  if (rollout === undefined || rollout.toVersion !== service.version || rollout.force !== service.force) {
    planning.steps.push({ kind: "rollout", rollout: begin(planning, context), why: service.changeReason });
    return;
  }
  if (rollout.state === "paused" || rollout.state === "rollback_paused") return;
  if (handleFailures(planning, context, rollout, slots.length)) return;
  if (rollout.state === "watching") {
    finishWatching(planning, context, rollout);
  } else if (MOVING.has(rollout.state)) {
    advance(planning, context, rollout, slots, view);
  }
}

function begin(planning: Planning, { service }: ServiceContext): Rollout {
  return {
    id: service.id,
    toVersion: service.version,
    force: service.force,
    state: service.isRollback ? "rolling_back" : "updating",
    startedAtMs: planning.nowMs,
    message: service.changeReason,
    failedTaskIds: [],
    ...(service.previousVersion === undefined ? {} : { fromVersion: service.previousVersion }),
  };
}

function look(planning: Planning, context: ServiceContext, slots: readonly Slot[]): View {
  const { world, nowMs } = planning;
  const done: Slot[] = [];
  const outdated: Slot[] = [];
  const changing: Slot[] = [];
  for (const slot of slots) {
    const current = slot.live.filter((task) => planning.isCurrent(context, task));
    const older = slot.live.length - current.length;
    const settled = current.some((task) => isHealthy(world, task, nowMs) || isFinished(planning, task));
    if (settled && older === 0) done.push(slot);
    else if (current.length === 0 && older > 0 && !slot.ending.some((task) => !planning.isCurrent(context, task)))
      outdated.push(slot);
    else changing.push(slot);
    for (const task of current) wakeWhenSettled(planning, task);
  }
  return { done, outdated, changing };
}

/** Ended as it should: a task whose policy lets it end with 0. */
function isFinished(planning: Planning, task: Task): boolean {
  const status = planning.world.state.taskStatus.get(task.id);
  return status?.state === "complete" && status.exhausted;
}

function wakeWhenSettled(planning: Planning, task: Task): void {
  const atMs = healthyAtMs(planning.world, task);
  if (atMs !== undefined) planning.isDue(atMs);
}

function policyOf({ version }: ServiceContext, rollout: Rollout): UpdatePolicy {
  return rollout.state === "rolling_back" ? version.spec.rollback : version.spec.update;
}

/** Counts new failures and acts when they are too many. True if that ends this pass. */
function handleFailures(planning: Planning, context: ServiceContext, rollout: Rollout, slotCount: number): boolean {
  if (!MOVING.has(rollout.state) && rollout.state !== "watching") return false;
  const failed = failedTasks(planning, context, rollout);
  const added = failed.filter((task) => !rollout.failedTaskIds.includes(task.id));
  const failedTaskIds: readonly TaskId[] = [...rollout.failedTaskIds, ...added.map((task) => task.id)];
  const policy = policyOf(context, rollout);
  const isTooMany = failedTaskIds.length > policy.maxFailureRatio * slotCount;
  // a first deploy has nothing to go back to: it keeps trying, and says why it does not succeed
  const acts = isTooMany && rollout.fromVersion !== undefined && policy.failureAction !== "continue";
  if (!acts) {
    if (added.length === 0) return false;
    planning.steps.push({
      kind: "rollout",
      rollout: { ...rollout, failedTaskIds },
      why: `${failedTaskIds.length} of its tasks failed so far`,
    });
    return true;
  }
  const why = failureReason(planning, failed.at(-1));
  act(planning, context, { ...rollout, failedTaskIds }, policy, why);
  return true;
}

function failedTasks(planning: Planning, context: ServiceContext, rollout: Rollout): readonly Task[] {
  return context.tasks.filter(
    (task) =>
      task.specVersion === rollout.toVersion &&
      task.force === rollout.force &&
      task.createdAtMs >= rollout.startedAtMs &&
      !isOnLostNode(planning.world, task) &&
      hasFailed(planning.world.state.taskStatus.get(task.id)),
  );
}

function failureReason(planning: Planning, task: Task | undefined): string {
  const status = task === undefined ? undefined : planning.world.state.taskStatus.get(task.id);
  if (task === undefined || status === undefined) return "too many of its tasks failed";
  const reason =
    status.reason === ""
      ? `an attempt of it ended${status.exitCode === undefined ? "" : ` with exit code ${status.exitCode}`}`
      : status.reason;
  return `${planning.name(task)} on ${planning.nodeName(task.nodeId)}: ${reason}`;
}

function act(planning: Planning, context: ServiceContext, rollout: Rollout, policy: UpdatePolicy, why: string): void {
  const { service } = context;
  const target =
    policy.failureAction === "rollback" && !service.isRollback ? rollbackTarget(planning, service, rollout) : undefined;
  if (target !== undefined) {
    planning.steps.push({
      kind: "rollback",
      service,
      toVersion: target.version,
      atMs: planning.nowMs,
      why: `version ${rollout.toVersion} failed: ${why}`,
    });
    return;
  }
  const state: RolloutState = service.isRollback ? "rollback_paused" : "paused";
  planning.steps.push({ kind: "rollout", rollout: { ...rollout, state, message: `paused: ${why}` }, why });
}

/** The last version before this one that was stable, else the one it came from. */
export function rollbackTarget(planning: Planning, service: Service, rollout: Rollout): ServiceVersion | undefined {
  for (let version = rollout.toVersion - 1; version > 0; version--) {
    const kept = planning.version(service.id, version);
    if (kept?.stable === true) return kept;
  }
  return rollout.fromVersion === undefined ? undefined : planning.version(service.id, rollout.fromVersion);
}

function finishWatching(planning: Planning, { service, version }: ServiceContext, rollout: Rollout): void {
  if (!planning.isDue((rollout.convergedAtMs ?? rollout.startedAtMs) + version.spec.update.monitorMs)) return;
  complete(planning, service, rollout, "completed", "the new version is stable");
}

function complete(planning: Planning, service: Service, rollout: Rollout, state: RolloutState, message: string): void {
  const convergedAtMs = rollout.convergedAtMs ?? planning.nowMs;
  planning.steps.push({
    kind: "rollout",
    rollout: { ...rollout, state, message, convergedAtMs, completedAtMs: planning.nowMs },
    why: message,
  });
  if (planning.version(service.id, rollout.toVersion)?.stable === false)
    planning.steps.push({ kind: "stable", service, version: rollout.toVersion });
}

function advance(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  slots: readonly Slot[],
  view: View,
): void {
  const policy = policyOf(context, rollout);
  if (view.done.length === slots.length) {
    converge(planning, context, rollout, policy);
    return;
  }
  // with failure action "continue" a slot that failed does not hold up the rest
  const holding =
    policy.failureAction === "continue"
      ? view.changing.filter((slot) => !hasFailedTask(planning, slot))
      : view.changing;
  if (view.outdated.length === 0 || !isBatchDue(planning, rollout, policy, view, holding.length)) return;
  const budget = policy.parallelism === 0 ? view.outdated.length : policy.parallelism - holding.length;
  const picked = pick(planning, context, view, budget, policy, slots.length);
  for (const slot of picked) change(planning, context, slot, policy);
  if (picked.length > 0 && rollout.batchDoneAtMs !== undefined) {
    const { batchDoneAtMs: _over, ...next } = rollout;
    planning.steps.push({ kind: "rollout", rollout: next, why: "the next batch starts" });
  }
}

function hasFailedTask(planning: Planning, slot: Slot): boolean {
  return slot.live.some((task) => hasFailed(planning.world.state.taskStatus.get(task.id)));
}

/** Without a delay a slot follows as soon as one is done; with one, the next batch waits after the whole batch is. */
function isBatchDue(planning: Planning, rollout: Rollout, policy: UpdatePolicy, view: View, holding: number): boolean {
  if (policy.delayMs === 0) return true;
  if (holding > 0) return false;
  if (view.done.length === 0 && rollout.batchDoneAtMs === undefined) return true;
  if (rollout.batchDoneAtMs !== undefined) return planning.isDue(rollout.batchDoneAtMs + policy.delayMs);
  planning.steps.push({
    kind: "rollout",
    rollout: { ...rollout, batchDoneAtMs: planning.nowMs },
    why: `a batch is done; the next starts in ${policy.delayMs / 1_000} s`,
  });
  return false;
}

/** Broken slots first; of the healthy only so many that enough stay in service. */
function pick(
  planning: Planning,
  context: ServiceContext,
  view: View,
  budget: number,
  policy: UpdatePolicy,
  slotCount: number,
): readonly Slot[] {
  const { world, nowMs } = planning;
  const healthy = (slot: Slot): boolean => slot.live.some((task) => isHealthy(world, task, nowMs));
  const broken = view.outdated.filter((slot) => !healthy(slot));
  const sound = view.outdated.filter(healthy);
  const inService = view.done.length + sound.length + view.changing.filter(healthy).length;
  const mayStop = policy.parallelism === 0 ? slotCount : Math.max(0, inService - (slotCount - policy.parallelism));
  const picked = broken.slice(0, Math.max(0, budget));
  const left = Math.max(0, budget - picked.length);
  const startFirst = policy.order === "start-first" && !needsStopFirst(context.version.spec.template);
  return [...picked, ...sound.slice(0, startFirst ? left : Math.min(left, mayStop))];
}

/** Start-first where a node takes the new task beside the old; else the new one waits until the old has ended. */
function change(planning: Planning, context: ServiceContext, slot: Slot, policy: UpdatePolicy): void {
  const { service, version } = context;
  const old = slot.live.at(-1);
  if (old === undefined) return;
  const only = slot.onlyNode === undefined ? {} : { onlyNode: slot.onlyNode };
  const startFirst =
    policy.order === "start-first" &&
    !needsStopFirst(version.spec.template) &&
    planning.wouldFit(service, service.version, slot.onlyNode);
  const why = `updates from version ${old.specVersion}`;
  const hold =
    startFirst || old.nodeId === undefined
      ? {}
      : { hold: `${planning.name(old)} on ${planning.nodeName(old.nodeId)} stops first` };
  planning.create(context, { slot: slot.slot, version: service.version, why, replaces: old.id, ...only, ...hold });
  if (!startFirst) for (const task of slot.live) planning.end(task, `updated to version ${service.version}`);
}

function converge(
  planning: Planning,
  { service, version }: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
): void {
  if (rollout.state === "rolling_back") {
    complete(
      planning,
      service,
      rollout,
      "rolled_back",
      `rolled back to version ${rollout.toVersion}: ${service.changeReason}`,
    );
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

/** What Swarm's users know as UpdateStatus; absent while a service has only been created. */
export function updateStatusOf(rollout: Rollout | undefined): UpdateStatus | undefined {
  if (rollout?.fromVersion === undefined) return undefined;
  const state = STATUS[rollout.state];
  return {
    state,
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
