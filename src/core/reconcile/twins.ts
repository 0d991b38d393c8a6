// Two tasks or more in one slot: after a node came back, in the middle of a move, in the middle of an update. Which of them stays. Pure.

import type { Task } from "../model/records.ts";
import { hasFailed, isAnyNodeSilent, isFinished, isHealthy, isHealthyOrFinished } from "./health.ts";
import { drainUntilMs, isDrainOver, wishedNode } from "./moves.ts";
import { mustMove } from "./must-move.ts";
import type { Planning, ServiceContext } from "./planning.ts";

/** A replacement that has been ready for so long stays when the original comes back. */
export const REPLACEMENT_STAYS_MS = 60_000;

/** A lost original is given up for good once a replacement that is as new has been ready for a minute. */
export function retireLost(
  planning: Planning,
  context: ServiceContext,
  lost: readonly Task[],
  present: readonly Task[],
): void {
  for (const task of lost) {
    const isAsNew = (other: Task): boolean => planning.isCurrent(context, other) || !planning.isCurrent(context, task);
    const heir = present.find((other) => isAsNew(other) && isReadyForLong(planning, other));
    if (heir !== undefined)
      planning.end(task, `replaced by a task on ${planning.nodeName(heir.nodeId)}, ready for a minute`);
  }
}

/** By the agent's wall clock, but never longer than the task has had its place, by ours. */
function isReadyForLong(planning: Planning, task: Task): boolean {
  const { world, nowMs } = planning;
  if (!isHealthy(world, task)) return false;
  const sinceMs = Math.max(world.state.taskStatus.get(task.id)?.stateAtMs ?? nowMs, task.assignedAtMs ?? 0);
  return planning.isDue(Math.min(sinceMs, nowMs) + REPLACEMENT_STAYS_MS);
}

/**
 * A newer template that works wins; a task that must move gives way to its replacement; of equals, the original stays. `moveTo`: the version
 * that a task's replacement is made of when it must move, which is an older one while a rollout is paused.
 */
export function resolveTwins(
  planning: Planning,
  context: ServiceContext,
  present: readonly Task[],
  moveTo: (task: Task) => number,
): void {
  const current = present.filter((task) => planning.isCurrent(context, task));
  const working = current.filter((task) => isHealthyOrFinished(planning.world, task));
  const winner = working.find((task) => mustMove(planning, task) === undefined) ?? working[0];
  const older = winner === undefined ? undefined : olderToMoveTo(planning, context, winner, moveTo);
  // the others of an older template may wait for ever for each other, and for what does not work
  const beaten = (task: Task): boolean => winner !== undefined && !current.includes(task) && task.specVersion !== older;
  for (const task of present) if (beaten(task)) planning.end(task, `updated to version ${winner?.specVersion}`);
  const left = present.filter((task) => !beaten(task));
  const moving = pairs(left).find(({ original }) => mustMove(planning, original) !== undefined);
  if (moving !== undefined) {
    giveWay(planning, moving);
    return;
  }
  const stays = left.find((task) => task.specVersion === older && isHealthy(planning.world, task));
  if (stays !== undefined && winner !== undefined) {
    planning.end(winner, mustMove(planning, winner) ?? "the one before works");
    return;
  }
  const equals = current.length > 1 ? current : left.filter((task) => !current.includes(task));
  const [pair] = pairs(equals);
  if (pair !== undefined) {
    if (isWished(context, pair)) settleMove(planning, pair);
    else settleReturn(planning, pair);
  } else if (equals.length > 1) keepOldestHealthy(planning, equals);
}

/** The version that a task which must move goes on as, if tasks of it are not what the service should run. */
function olderToMoveTo(
  planning: Planning,
  { service, version }: ServiceContext,
  task: Task,
  moveTo: (task: Task) => number,
): number | undefined {
  if (mustMove(planning, task) === undefined) return undefined;
  const next = moveTo(task);
  return planning.version(service.id, next)?.templateHash === version.templateHash ? undefined : next;
}

type Pair = { readonly original: Task; readonly replacement: Task };

/** Replacements with what they replace, the newest first: a chain of them is judged from its end, one link at a time. */
function pairs(tasks: readonly Task[]): readonly Pair[] {
  return tasks.toReversed().flatMap((replacement) => {
    const original = tasks.find((task) => task.id === replacement.replaces);
    return original === undefined ? [] : [{ original, replacement }];
  });
}

/** A node that must be emptied is emptied even if nothing else takes the task: its replacement then waits and says why. */
function giveWay(planning: Planning, { original, replacement }: Pair): void {
  const mayWait = drainUntilMs(planning, original) !== undefined;
  const isUnplaceable =
    replacement.nodeId === undefined && replacement.waiting !== undefined && !isAnyNodeSilent(planning.world);
  const mayGo = isHealthyOrFinished(planning.world, replacement) || (isUnplaceable && !mayWait);
  if (!mayGo && !isDrainOver(planning, original)) return;
  planning.end(original, mustMove(planning, original) ?? "its replacement is healthy");
}

function isWished({ service }: ServiceContext, { original, replacement }: Pair): boolean {
  return replacement.nodeId !== undefined && wishedNode(service, original.id) === replacement.nodeId;
}

/** A move that somebody wished for: its replacement takes over as soon as it works. */
function settleMove(planning: Planning, { original, replacement }: Pair): void {
  const { world } = planning;
  const where = planning.nodeName(replacement.nodeId);
  if (isHealthy(world, replacement)) planning.end(original, `rebalanced to ${where}`);
  else if (hasFailed(world.state.taskStatus.get(replacement.id)))
    planning.end(replacement, `it does not work on ${where}`);
  else if (isFinished(world.state, replacement))
    planning.end(replacement, "it has done its work, and the one before works on");
  else if (isFinished(world.state, original)) planning.end(replacement, "the one before has done its work");
}

/** A task whose node came back: it goes on, unless its replacement has been ready for long. */
function settleReturn(planning: Planning, { original, replacement }: Pair): void {
  const { world } = planning;
  const where = planning.nodeName(original.nodeId);
  if (isReadyForLong(planning, replacement)) planning.end(original, "its replacement has been ready for a minute");
  else if (isHealthy(world, original)) planning.end(replacement, `the original is back on ${where}`);
  else if (isFinished(world.state, original)) planning.end(replacement, `the original on ${where} has done its work`);
}

function keepOldestHealthy(planning: Planning, equals: readonly Task[]): void {
  const keeper = equals.find((task) => isHealthy(planning.world, task));
  if (keeper === undefined) return;
  for (const task of equals) if (task !== keeper) planning.end(task, "one task too many in its slot");
}
