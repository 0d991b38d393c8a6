// What happens in each slot of a service: who fills it, who takes over from whom, who has to go. Rollouts are decided elsewhere, on
// slots that this leaves at rest. A slot is a number for replicated services and a node for global ones. Pure.

import type { NodeId } from "../model/ids.ts";
import type { Task } from "../model/records.ts";
import type { TaskTemplate } from "../model/service-spec.ts";
import { backoffMs } from "../restart/backoff.ts";
import { meets, runsPlatform } from "../schedule/constraint.ts";
import { pinnedAway } from "../schedule/place.ts";
import { healthyAtMs, isExhausted, isHealthy, isOnDeadNode, isOnLostNode, templateOf } from "./health.ts";
import type { Planning, ServiceContext } from "./planning.ts";

/** A replacement that has been ready for so long stays when the original comes back. */
export const REPLACEMENT_STAYS_MS = 60_000;

export type Slot = {
  readonly slot: number;
  readonly onlyNode?: NodeId;
  /** Wanted to run and not being withdrawn. */
  readonly live: readonly Task[];
  /** Being stopped by choice, container perhaps still there. */
  readonly ending: readonly Task[];
  /** Ended, newest last. */
  readonly ended: readonly Task[];
};

/** Sorts a service's tasks of one slot. */
export function slotOf(planning: Planning, slot: number, tasks: readonly Task[], onlyNode?: NodeId): Slot {
  const live = tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
  const ending = tasks.filter((task) => planning.isEnding(task));
  const ended = tasks.filter((task) => task.desired === "shutdown" && !ending.includes(task));
  return { slot, live, ending, ended, ...(onlyNode === undefined ? {} : { onlyNode }) };
}

/** A replacement may run beside what it replaces unless both would write to one volume. */
export function needsStopFirst(template: TaskTemplate): boolean {
  return template.container.mounts.some((mount) => mount.kind === "volume" && !mount.readOnly);
}

/** Brings one slot of a service one pass nearer to one healthy task. */
export function planSlot(planning: Planning, context: ServiceContext, slot: Slot): void {
  const alive = slot.live.filter((task) => !endGone(planning, task));
  const lost = alive.filter((task) => isOnLostNode(planning.world, task));
  const present = alive.filter((task) => !lost.includes(task));
  for (const task of present) clearReason(planning, task);
  const gone = lost.filter((task) => !isPinnedToLost(planning, context, task));
  if (gone.length < lost.length) return;

  if (present.length === 0) {
    refill(planning, context, slot, gone.at(-1));
    return;
  }
  for (const task of present) {
    if (task.nodeId === undefined) placeOrHold(planning, context, slot, task);
    else if (isUsedUp(planning, task)) planning.end(task, "its attempts are used up");
  }
  retireLost(planning, gone, present);
  if (present.length > 1) resolveTwins(planning, context, present);
  else moveAway(planning, context, slot, present[0]);
}

/** Its restart policy allows no further attempt here, and does not say that this is its proper end. */
function isUsedUp(planning: Planning, task: Task): boolean {
  const status = planning.world.state.taskStatus.get(task.id);
  if (!isExhausted(status) || status?.state === "complete") return false;
  return templateOf(planning.world.state, task)?.restart.condition !== "none";
}

/** A task on a node that was removed or confirmed dead will not come back. */
function endGone(planning: Planning, task: Task): boolean {
  if (!isOnDeadNode(planning.world, task)) return false;
  const isRemoved = task.nodeId !== undefined && !planning.world.state.node.has(task.nodeId);
  planning.end(task, isRemoved ? "its node was removed" : `${planning.nodeName(task.nodeId)} is confirmed dead`);
  return true;
}

/** Data on a lost node: the task waits for it, and says so; it is never started on an empty volume. */
function isPinnedToLost(planning: Planning, { service }: ServiceContext, task: Task): boolean {
  const template = templateOf(planning.world.state, task);
  if (task.onlyNode !== undefined) return true;
  const reason = template === undefined ? undefined : pinnedAway(planning.world, template, service.mode);
  if (reason === undefined) return false;
  planning.wait(task, reason);
  return true;
}

function clearReason(planning: Planning, task: Task): void {
  if (task.nodeId !== undefined) planning.wait(task, "");
}

/** An empty slot gets a task, later and later while those before it failed. */
function refill(planning: Planning, context: ServiceContext, slot: Slot, lost: Task | undefined): void {
  const { service } = context;
  const failures = recentFailures(planning, slot.ended);
  const last = slot.ended.at(-1);
  if (lost === undefined && last !== undefined && failures.length > 0) {
    const firstMs = templateOf(planning.world.state, last)?.restart.delayMs ?? 1_000;
    if (!planning.isDue((last.endedAtMs ?? last.createdAtMs) + backoffMs(Math.max(firstMs, 1_000), failures.length)))
      return;
  }
  const before = lost ?? last;
  const version = before === undefined ? service.version : replacementVersion(planning, context, before);
  const why =
    lost !== undefined
      ? `replaces ${planning.name(lost)}: ${planning.nodeName(lost.nodeId)} is lost`
      : last === undefined
        ? "fills the slot"
        : `replaces the one before: ${last.desiredReason}`;
  const hold = holdFor(
    planning,
    slot.ending,
    before === undefined ? undefined : templateOf(planning.world.state, before),
  );
  planning.create(context, {
    slot: slot.slot,
    version,
    why,
    avoid: new Set(failures.flatMap((task) => (task.nodeId === undefined ? [] : [task.nodeId]))),
    ...(before === undefined ? {} : { replaces: before.id }),
    ...(slot.onlyNode === undefined ? {} : { onlyNode: slot.onlyNode }),
    ...(hold === undefined ? {} : { hold }),
  });
}

/** A task that writes to a volume starts only when the one before it has ended. */
function holdFor(planning: Planning, ending: readonly Task[], template: TaskTemplate | undefined): string | undefined {
  const [first] = ending;
  if (first === undefined || template === undefined || !needsStopFirst(template)) return undefined;
  return `${planning.name(first)} on ${planning.nodeName(first.nodeId)} stops first`;
}

/** While a rollout is under way or paused, a slot that it has not reached is filled with what it had. */
function replacementVersion(planning: Planning, { service, rollout }: ServiceContext, before: Task): number {
  const isUnderWay =
    rollout !== undefined && ["updating", "paused", "rolling_back", "rollback_paused"].includes(rollout.state);
  const isKept = planning.version(service.id, before.specVersion) !== undefined;
  return isUnderWay && isKept && before.force === service.force ? before.specVersion : service.version;
}

/** The unbroken run of failed tasks at the end of the slot's history. */
function recentFailures(planning: Planning, ended: readonly Task[]): readonly Task[] {
  const failures: Task[] = [];
  for (const task of ended.toReversed()) {
    const status = planning.world.state.taskStatus.get(task.id);
    if (status?.state !== "failed" && status?.state !== "rejected") break;
    failures.push(task);
  }
  return failures;
}

function placeOrHold(planning: Planning, context: ServiceContext, slot: Slot, task: Task): void {
  const before = slot.ending.find((ending) => ending.id === task.replaces);
  if (before === undefined) {
    const failed = recentFailures(planning, slot.ended).flatMap((ended) =>
      ended.nodeId === undefined ? [] : [ended.nodeId],
    );
    planning.placeWaiting(context, task, new Set(failed));
  } else {
    planning.wait(task, `${planning.name(before)} on ${planning.nodeName(before.nodeId)} stops first`);
  }
}

/** A lost original is given up for good once its replacement has been ready for a minute. */
function retireLost(planning: Planning, lost: readonly Task[], present: readonly Task[]): void {
  for (const task of lost) {
    const replacement = present.find((other) => isReadyFor(planning, other, REPLACEMENT_STAYS_MS));
    if (replacement !== undefined)
      planning.end(task, `replaced by a task on ${planning.nodeName(replacement.nodeId)}, ready for a minute`);
  }
}

function isReadyFor(planning: Planning, task: Task, forMs: number): boolean {
  const { world, nowMs } = planning;
  if (!isHealthy(world, task, nowMs)) {
    const atMs = healthyAtMs(world, task);
    if (atMs !== undefined) planning.isDue(atMs);
    return false;
  }
  return planning.isDue((world.state.taskStatus.get(task.id)?.stateAtMs ?? nowMs) + forMs);
}

/** Two tasks in one slot: the newer template wins once it is healthy; of equals, the one that need not move, then the original. */
function resolveTwins(planning: Planning, context: ServiceContext, present: readonly Task[]): void {
  const { world, nowMs } = planning;
  const current = present.filter((task) => planning.isCurrent(context, task));
  const outdated = present.filter((task) => !current.includes(task));
  const winner = current.find((task) => isHealthy(world, task, nowMs));
  if (winner !== undefined) {
    for (const task of outdated) planning.end(task, `updated to version ${winner.specVersion}`);
  }
  const equals = current.length > 1 ? current : outdated.length > 1 ? outdated : [];
  for (const replacement of equals) {
    const original = equals.find((task) => task.id === replacement.replaces);
    if (original !== undefined) chooseOne(planning, original, replacement);
  }
  if (equals.length > 1 && !equals.some((task) => equals.some((other) => other.id === task.replaces)))
    keepOldestHealthy(planning, equals);
}

function chooseOne(planning: Planning, original: Task, replacement: Task): void {
  const { world, nowMs } = planning;
  const why = mustMove(planning, original);
  if (why !== undefined) {
    // a node that must be emptied is emptied even if nothing else takes the task: its replacement then waits and says why
    if (isHealthy(world, replacement, nowMs) || (replacement.nodeId === undefined && replacement.waiting !== undefined))
      planning.end(original, why);
    return;
  }
  if (isReadyFor(planning, replacement, REPLACEMENT_STAYS_MS))
    planning.end(original, "its replacement has been ready for a minute");
  else if (isHealthy(world, original, nowMs))
    planning.end(replacement, `the original is back on ${planning.nodeName(original.nodeId)}`);
}

function keepOldestHealthy(planning: Planning, equals: readonly Task[]): void {
  const keeper = equals.find((task) => isHealthy(planning.world, task, planning.nowMs));
  if (keeper === undefined) return;
  for (const task of equals) if (task !== keeper) planning.end(task, "one task too many in its slot");
}

/** Why a task may not stay where it is; undefined if it may. */
export function mustMove(planning: Planning, task: Task): string | undefined {
  const { state } = planning.world;
  const node = task.nodeId === undefined ? undefined : state.node.get(task.nodeId);
  const template = templateOf(state, task);
  if (node === undefined || template === undefined) return undefined;
  if (node.availability === "drain") return `${node.name} is draining`;
  const status = state.nodeStatus.get(node.id);
  const failed = template.placement.constraints.find((constraint) => !meets(constraint, node, status));
  if (failed !== undefined)
    return `${node.name} does not meet ${failed.attribute} ${failed.operator} ${failed.value} any more`;
  return runsPlatform(template.placement.platforms, status) ? undefined : `${node.name} cannot run its platform`;
}

function moveAway(planning: Planning, context: ServiceContext, slot: Slot, task: Task | undefined): void {
  const why = task === undefined ? undefined : mustMove(planning, task);
  if (task === undefined || why === undefined) return;
  if (slot.onlyNode !== undefined) {
    planning.end(task, why);
    return;
  }
  const template = templateOf(planning.world.state, task);
  const stopFirst = template !== undefined && needsStopFirst(template);
  const hold = stopFirst ? { hold: `${planning.name(task)} on ${planning.nodeName(task.nodeId)} stops first` } : {};
  planning.create(context, {
    slot: slot.slot,
    version: replacementVersion(planning, context, task),
    why,
    replaces: task.id,
    ...hold,
  });
  if (stopFirst) planning.end(task, why);
}
