// How the slots of a rollout stand: done, failed, not begun, in between. Pure.

import type { Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { hasFailed, isFinished, isHealthy, isResizing } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import type { Slot } from "../reconcile/slots.ts";
import type { View } from "./batch.ts";

/** Sorts the slots. */
export function look(planning: Planning, context: ServiceContext, rollout: Rollout, slots: readonly Slot[]): View {
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
    else if (current.length === 0 && !stopsOlder && isOlder(planning, context, slot)) outdated.push(slot);
    else if (hasFailedIn(planning, context, slot)) failed.push(slot);
    else changing.push(slot);
  }
  const isOfIt = (slot: Slot): boolean => lastTasks(slot).some((task) => rollout.failedTaskIds.includes(task.id));
  return { done, failed, tolerated: failed.filter(isOfIt).length, outdated, changing };
}

/** What is in the slot is of an older template, or was, and the next one of that is still to come. */
function isOlder(planning: Planning, context: ServiceContext, slot: Slot): boolean {
  const last = lastTasks(slot).at(-1);
  return last !== undefined && !planning.isCurrent(context, last);
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
