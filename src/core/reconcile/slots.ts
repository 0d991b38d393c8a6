// What happens in each slot of a service: who fills it, who takes over from whom, who has to go. Rollouts are decided elsewhere, on
// slots that this leaves at rest. A slot is a number for replicated services and a node for global ones. Pure.

import type { NodeId } from "../model/ids.ts";
import type { Task } from "../model/records.ts";
import type { TaskTemplate } from "../model/service-spec.ts";
import { backoffMs } from "../restart/backoff.ts";
import { lastGoodVersion } from "../rollout/last-good.ts";
import { isBeside, isHalted, phaseOf } from "../rollout/phase.ts";
import { policyOf, spanOf } from "../rollout/policy.ts";
import { pinnedAway } from "../schedule/place.ts";
import {
  goneAfter,
  hasOwnLease,
  isFinished,
  isHealthy,
  isOnDeadNode,
  isOnLostNode,
  isUsedUp,
  templateOf,
} from "./health.ts";
import { drainUntilMs, isDrainOver, type MoveBudget, wishedNode } from "./moves.ts";
import type { Planning, ServiceContext } from "./planning.ts";
import { mustMove } from "./must-move.ts";
import { resolveTwins, retireLost } from "./twins.ts";

/** The least wait before a slot gets another task after one that failed for good. */
const REFILL_DELAY_MS = 1_000;

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
  const ended = tasks.filter((task) => task.desired === "shutdown" && !planning.isEnding(task));
  return { slot, live, ending, ended, ...(onlyNode === undefined ? {} : { onlyNode }) };
}

/** A replacement may run beside what it replaces unless both would write to one volume, or it must never run twice. */
export function needsStopFirst(template: TaskTemplate): boolean {
  if (template.onLeaseLost === "stop") return true;
  return template.container.mounts.some((mount) => mount.kind === "volume" && !mount.readOnly);
}

/** Brings one slot of a service one pass nearer to one healthy task. */
export function planSlot(planning: Planning, context: ServiceContext, slot: Slot, budget: MoveBudget): void {
  const here = slot.live.filter((task) => !endGone(planning, task));
  const givenUp = here.filter((task) => giveUp(planning, context, task));
  const alive = here.filter((task) => !givenUp.includes(task));
  const lost = alive.filter((task) => isOnLostNode(planning.world, task) && !isFinished(planning.world.state, task));
  const present = alive.filter((task) => !lost.includes(task));
  const gone = lost.filter((task) => !isTiedToLost(planning, context, task));
  if (gone.length < lost.length && present.length === 0) return;

  if (present.length === 0) {
    // more than half of the nodes are silent: who is to say which half is gone?
    const before = gone.at(-1) ?? givenUp.at(-1) ?? slot.ending.find((task) => isOnLostNode(planning.world, task));
    if (before === undefined || !planning.world.valveShut) refill(planning, context, slot, before);
    return;
  }
  for (const task of present) {
    if (task.nodeId === undefined) placeOrHold(planning, context, slot, task);
    else if (isUsedUp(planning.world.state, task)) planning.end(task, "its attempts are used up");
  }
  retireLost(planning, context, gone, present);
  const [only] = present;
  const stays = present.length === 1 && only !== undefined ? moveAway(planning, context, slot, only, budget) : "";
  for (const task of present) if (task.nodeId !== undefined) planning.wait(task, stays);
  if (present.length > 1) resolveTwins(planning, context, present, (task) => versionFor(planning, context, task));
}

/** A task on a node that was removed or confirmed dead will not come back. */
function endGone(planning: Planning, task: Task): boolean {
  if (!isOnDeadNode(planning.world, task)) return false;
  const isRemoved = task.nodeId !== undefined && !planning.world.state.node.has(task.nodeId);
  planning.end(task, isRemoved ? "its node was removed" : `${planning.nodeName(task.nodeId)} is confirmed dead`);
  return true;
}

/** A task that must never run twice ends when its node has been silent for so long that it has stopped it; only then another is made. */
function giveUp(planning: Planning, { version }: ServiceContext, task: Task): boolean {
  if (!hasOwnLease(planning.world, task) || task.nodeId === undefined || task.onlyNode !== undefined) return false;
  if (!isOnLostNode(planning.world, task) || isFinished(planning.world.state, task)) return false;
  const afterMs = Math.max(goneAfter(planning.world, task), version.spec.replaceAfterMs ?? 0);
  if (planning.world.valveShut || !planning.isSilentFor(task.nodeId, afterMs)) {
    planning.wait(task, lostUntil(planning, task.nodeId, afterMs));
    return false;
  }
  planning.end(task, `${planning.nodeName(task.nodeId)} is lost, and its lease is over`);
  return true;
}

/** Data on a lost node, or a place on that node alone: the task waits for it, and says so; it is never started on an empty volume. */
function isTiedToLost(planning: Planning, { service, version }: ServiceContext, task: Task): boolean {
  if (task.onlyNode !== undefined) return true;
  if (hasOwnLease(planning.world, task)) return true;
  const template = templateOf(planning.world.state, task);
  if (template === undefined) return false;
  const reason =
    pinnedAway(planning.world, planning.ledger, template, service.mode) ??
    patience(planning, version.spec.replaceAfterMs, task);
  if (reason === undefined) return false;
  planning.wait(task, reason);
  return true;
}

/** Why a lost node is waited for, if its service has the patience. */
function patience(planning: Planning, replaceAfterMs: number | undefined, { nodeId }: Task): string | undefined {
  if (replaceAfterMs === undefined || nodeId === undefined || planning.isSilentFor(nodeId, replaceAfterMs))
    return undefined;
  return lostUntil(planning, nodeId, replaceAfterMs);
}

function lostUntil(planning: Planning, nodeId: NodeId, afterMs: number): string {
  const span = spanOf(Math.ceil(afterMs / 1_000) * 1_000);
  return `${planning.nodeName(nodeId)} is lost; it is replaced ${span} after that was last heard`;
}

/** An empty slot gets a task, later and later while those before it failed. */
function refill(planning: Planning, context: ServiceContext, slot: Slot, lost: Task | undefined): void {
  const last = slot.ended.at(-1);
  const before = lost ?? last;
  const version = versionFor(planning, context, before);
  const failures = recentFailures(planning, slot.ended, version);
  if (lost === undefined && last !== undefined && failures.length > 0) {
    const firstMs = Math.max(templateOf(planning.world.state, last)?.restart.delayMs ?? 0, REFILL_DELAY_MS);
    if (!planning.isDue((last.endedAtMs ?? last.createdAtMs) + backoffMs(firstMs, failures.length))) return;
  }
  planning.create(context, {
    slot: slot.slot,
    version,
    why: whyRefilled(planning, context, lost, last),
    avoid: nodesOf(failures),
    replaces: before?.id,
    onlyNode: slot.onlyNode,
    hold:
      holdBehind(planning, slot.ending, planning.version(context.service.id, version)?.spec.template) ??
      (version === context.service.version ? planning.heldBack(context) : undefined),
  });
}

function whyRefilled(
  planning: Planning,
  { track }: ServiceContext,
  lost: Task | undefined,
  last: Task | undefined,
): string {
  if (lost !== undefined) return `replaces ${planning.name(lost)}: ${planning.nodeName(lost.nodeId)} is lost`;
  if (last === undefined && track?.isNew === true) return "on trial beside the one before";
  return last === undefined ? "fills the slot" : `replaces the one before: ${last.desiredReason}`;
}

/** A task that writes to a volume starts only when the one before it has ended: what it has to wait for, if anything. */
export function holdBehind(
  planning: Planning,
  ending: readonly Task[],
  template: TaskTemplate | undefined,
): string | undefined {
  const [first] = ending;
  return first === undefined || template === undefined || !needsStopFirst(template)
    ? undefined
    : planning.stopsFirst(first);
}

/**
 * The version for a slot that has to be filled beside a rollout's own changes. One that the rollout has not reached keeps what it
 * had; a version that failed gets no further task.
 */
export function versionFor(planning: Planning, context: ServiceContext, before: Task | undefined): number {
  const { service, rollout, track } = context;
  if (rollout === undefined || rollout.toVersion !== service.version || track?.isNew === true) return service.version;
  const isKept = (version: number | undefined): version is number =>
    version !== undefined && planning.version(service.id, version) !== undefined;
  if (track !== undefined) {
    // what ran before the change that the rollout comes from may be what it goes to: then it is none from before
    const isFrom = (version: number | undefined): version is number =>
      isKept(version) && planning.version(service.id, version)?.templateHash !== context.version.templateHash;
    if (isFrom(before?.specVersion)) return before.specVersion;
    return isKept(rollout.fromVersion) ? rollout.fromVersion : service.version;
  }
  if (isHalted(rollout) && rollout.state === "paused") {
    const isFailed = before === undefined || before.specVersion === rollout.toVersion;
    const version = isFailed ? lastGoodVersion(planning.world.state, service.id, rollout)?.version : before.specVersion;
    return isKept(version) ? version : service.version;
  }
  return phaseOf(rollout) === "updating" && isKept(before?.specVersion) ? before.specVersion : service.version;
}

/** The unbroken run of failed tasks of one version at the end of the slot's history: another version is another try. */
function recentFailures(planning: Planning, ended: readonly Task[], version: number): readonly Task[] {
  const isFailure = (task: Task): boolean => {
    if (task.specVersion !== version) return false;
    const state = planning.world.state.taskStatus.get(task.id)?.state;
    // what completed too often was ended like what failed too often
    return state === "failed" || state === "rejected" || state === "complete";
  };
  const before = ended.findLastIndex((task) => !isFailure(task));
  return ended.slice(before + 1);
}

function nodesOf(tasks: readonly Task[]): ReadonlySet<NodeId> {
  return new Set(tasks.flatMap((task) => task.nodeId ?? []));
}

/** Behind one that still stops in the slot it is held; else it looks for a node again. */
function placeOrHold(planning: Planning, context: ServiceContext, slot: Slot, task: Task): void {
  const template = templateOf(planning.world.state, task);
  const before = slot.ending.find((ending) => ending.id === task.replaces);
  const behind = before === undefined ? holdBehind(planning, slot.ending, template) : planning.stopsFirst(before);
  const hold = behind ?? (planning.isCurrent(context, task) ? planning.heldBack(context) : undefined);
  if (hold !== undefined) return planning.wait(task, hold);
  const other = writerBeside(planning, slot, task, template) ?? olderBeside(planning, context, slot, task);
  if (other !== undefined) planning.wait(task, planning.whyBehind(context.service, task, other));
  else planning.placeWaiting(context, task, nodesOf(recentFailures(planning, slot.ended, task.specVersion)));
}

/** One in the slot that still writes to its volume and is not to end yet: a rollout decides about the two. */
function writerBeside(
  planning: Planning,
  slot: Slot,
  task: Task,
  template: TaskTemplate | undefined,
): Task | undefined {
  if (template === undefined || !needsStopFirst(template)) return undefined;
  return slot.live.find(
    (other) => other !== task && other.nodeId !== undefined && !isOnLostNode(planning.world, other),
  );
}

/**
 * One in the slot that a change which stops the old task first has not stopped yet, because the new one fitted nowhere. Where room comes
 * meanwhile the rollout ends it; the new one is not started beside it. Who must move is replaced as in every move, beside it.
 */
function olderBeside(planning: Planning, context: ServiceContext, slot: Slot, task: Task): Task | undefined {
  const { rollout, version } = context;
  if (rollout === undefined || isHalted(rollout) || isBeside(rollout) || !planning.isCurrent(context, task))
    return undefined;
  if (policyOf(version.spec, rollout).order === "start-first") return undefined;
  return slot.live.find(
    (other) =>
      other.nodeId !== undefined &&
      !planning.isCurrent(context, other) &&
      !isOnLostNode(planning.world, other) &&
      mustMove(planning, other) === undefined,
  );
}

/** Begins to move a task that may not stay, or that a rebalance sends away. Gives why it has to stay for now; empty if it need not wait. */
function moveAway(planning: Planning, context: ServiceContext, slot: Slot, task: Task, budget: MoveBudget): string {
  // what has done its work is not done again elsewhere
  if (isFinished(planning.world.state, task)) return "";
  const why = mustMove(planning, task);
  if (why === undefined) return followWish(planning, context, slot, task, budget);
  if (slot.onlyNode !== undefined || isDrainOver(planning, task)) {
    planning.end(task, why);
    return "";
  }
  const version = versionFor(planning, context, task);
  const template = planning.version(context.service.id, version)?.spec.template;
  const stopFirst = template !== undefined && needsStopFirst(template);
  if (
    stopFirst &&
    drainUntilMs(planning, task) !== undefined &&
    !planning.wouldFit(context.service, version, undefined, task)
  )
    return `${why}; no other node takes it, and it stays until the deadline`;
  if (!budget.take(planning, task)) return `${why}; it ${budget.reason}`;
  const hold = stopFirst ? planning.stopsFirst(task) : undefined;
  planning.create(context, { slot: slot.slot, version, why, replaces: task.id, hold });
  if (stopFirst) planning.end(task, why);
  return "";
}

/** A rebalance makes the other task first, and only on the node that the user saw; if that does not take it any more nothing moves. */
function followWish(planning: Planning, context: ServiceContext, slot: Slot, task: Task, budget: MoveBudget): string {
  const { service } = context;
  const node = wishedNode(service, task.id);
  if (node === undefined || budget.isSpent || !isHealthy(planning.world, task)) return "";
  // room may yet come of another move
  if (!planning.wouldFit(service, task.specVersion, node, undefined, slot.slot)) return "";
  if (!budget.take(planning, task)) return "";
  const why = `rebalanced from ${planning.nodeName(task.nodeId)}`;
  planning.create(context, {
    slot: slot.slot,
    version: task.specVersion,
    why,
    replaces: task.id,
    wishedNode: node,
  });
  return "";
}
