// Slots while a change is on trial, or switched and not yet final: each has two tracks, one of tasks from before and one of new tasks, and
// neither takes over from the other by itself. Who fills them, what their endpoints weigh, and which of the two goes when another change
// comes in between. Pure.

import type { Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import type { UpdatePolicy } from "../model/update-policy.ts";
import { isHealthyOrFinished, isOnDeadNode, isOnLostNode, isUsedUp } from "../reconcile/health.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { planSlot, type Slot } from "../reconcile/slots.ts";
import { MoveBudget } from "../reconcile/moves.ts";
import { mustMove } from "../reconcile/must-move.ts";
import { isBeside, isHalted, phaseOf } from "./phase.ts";
import { trialCount } from "./policy.ts";

export type Tracks = {
  /** Tasks from before, of every slot. */
  readonly old: readonly Slot[];
  /** New tasks of the slots that are to have one. */
  readonly fresh: readonly Slot[];
  /** New tasks in other slots: they go. */
  readonly surplus: readonly Task[];
};

/** Whether the rollout is that of what the service should be now. */
export function isOurs({ service, rollout }: ServiceContext): boolean {
  return rollout?.toVersion === service.version && rollout.force === service.force;
}

/** The tracks of a service that is on trial or switched; undefined if it is neither. `old`: slots of tasks from before; `counted`: those that the rollout waits for. */
export function tracksOf(
  planning: Planning,
  context: ServiceContext,
  old: readonly Slot[],
  counted: readonly Slot[],
): Tracks | undefined {
  const { rollout, version } = context;
  if (!isBeside(rollout) || !isOurs(context)) return undefined;
  const isFresh = (task: Task): boolean => planning.isCurrent(context, task);
  const isWithNew = (slot: Slot): boolean => slot.live.some(isFresh);
  const { strategy } = version.spec.update;
  const wanted = phaseOf(rollout) === "switched" ? counted.length : trialCount(strategy, counted.length);
  // those that have one already keep it
  const chosen = new Set(
    [...counted.filter(isWithNew), ...counted.filter((slot) => !isWithNew(slot))].slice(0, wanted),
  );
  return {
    old: old.map((slot) => part(slot, (task) => !isFresh(task))),
    fresh: counted.filter((slot) => chosen.has(slot)).map((slot) => part(slot, isFresh)),
    surplus: counted.filter((slot) => !chosen.has(slot)).flatMap((slot) => slot.live.filter(isFresh)),
  };
}

function part(slot: Slot, isOfIt: (task: Task) => boolean): Slot {
  const { live, ending, ended } = slot;
  return { ...slot, live: live.filter(isOfIt), ending: ending.filter(isOfIt), ended: ended.filter(isOfIt) };
}

/** Fills both tracks, as far as the rollout is to go on. */
export function planTracks(planning: Planning, context: ServiceContext, rollout: Rollout, tracks: Tracks): void {
  const isSwitched = phaseOf(rollout) === "switched";
  const hasFrom =
    rollout.fromVersion !== undefined && planning.version(context.service.id, rollout.fromVersion) !== undefined;
  const track = { isNew: true, weight: isSwitched ? FULL_WEIGHT : trialWeight(context.version.spec.update) };
  const budgets = {
    old: new MoveBudget(planning, context, tracks.old),
    fresh: new MoveBudget(planning, context, tracks.fresh),
  };
  for (const task of tracks.surplus) planning.end(task, "it is not needed on trial any more");
  for (const slot of tracks.old) {
    // what is only kept for a way back is not made anew, nor what there is no version for any more
    if (isSwitched || !hasFrom) endUnfit(planning, slot);
    else planSlot(planning, { ...context, track: { isNew: false, weight: FULL_WEIGHT } }, slot, budgets.old);
  }
  for (const slot of tracks.fresh) {
    if (isHalted(rollout)) endUnfit(planning, slot);
    else planSlot(planning, { ...context, track }, slot, budgets.fresh);
  }
}

/** Ends what cannot stay where it is, and starts nothing for it. */
function endUnfit(planning: Planning, slot: Slot): void {
  for (const task of slot.live) {
    const why = mustMove(planning, task);
    if (isOnDeadNode(planning.world, task)) planning.end(task, "its node is gone");
    else if (isUsedUp(planning.world.state, task)) planning.end(task, "its attempts are used up");
    else if (why !== undefined && !isOnLostNode(planning.world, task)) planning.end(task, why);
  }
}

/** Those of the slots that have a task that works. */
export function workingIn(planning: Planning, slots: readonly Slot[]): readonly Slot[] {
  const { world } = planning;
  return slots.filter((slot) => slot.live.some((task) => isHealthyOrFinished(world, task)));
}

/** What the endpoint of each task should weigh now; steps for those that weigh otherwise. */
export function planWeights(planning: Planning, context: ServiceContext): void {
  const live = context.tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
  const wrong = Map.groupBy(
    live.filter((task) => weightOf(planning, context, task) !== task.weight),
    (task) => weightOf(planning, context, task),
  );
  for (const [weight, tasks] of wrong)
    planning.steps.push({ kind: "weigh", taskIds: tasks.map((task) => task.id), weight });
}

function weightOf(planning: Planning, context: ServiceContext, task: Task): number {
  const { rollout, version } = context;
  if (!isBeside(rollout)) return FULL_WEIGHT;
  const isFresh = planning.isCurrent(context, task);
  if (phaseOf(rollout) === "switched") return isFresh ? FULL_WEIGHT : 0;
  return isFresh ? trialWeight(version.spec.update) : FULL_WEIGHT;
}

function trialWeight({ strategy }: UpdatePolicy): number {
  if (strategy === undefined) return FULL_WEIGHT;
  return strategy.kind === "canary" ? strategy.weight : 0;
}

const FULL_WEIGHT = 100;

/**
 * Another change came in the middle: what was on trial goes, what was promoted stays. Nothing is ended of what the new change wants, and
 * while that is so the two sets are left to it: its slots know which to keep.
 */
export function planSuperseded(planning: Planning, context: ServiceContext, rollout: Rollout): void {
  if (isCarriedOver(planning, context, rollout)) return;
  const { service, tasks } = context;
  const tried = planning.version(service.id, rollout.toVersion)?.templateHash;
  const isFresh = (task: Task): boolean =>
    task.force >= rollout.force && planning.version(service.id, task.specVersion)?.templateHash === tried;
  const isWanted = (task: Task): boolean => planning.isCurrent(context, task);
  const live = tasks.filter((task) => task.desired === "running" && task.withdrawal === undefined);
  if (phaseOf(rollout) === "trial") {
    for (const task of live)
      if (isFresh(task) && !isWanted(task)) planning.end(task, `version ${rollout.toVersion} is not tried any more`);
    return;
  }
  for (const task of live) {
    if (isFresh(task) || isWanted(task)) continue;
    planning.end(task, `nothing goes back to version ${task.specVersion} any more`);
  }
}

/** The change between left the tasks as they are: what is on trial stays on trial, what is switched stays switched. */
export function isCarriedOver(planning: Planning, { service, version }: ServiceContext, rollout: Rollout): boolean {
  const isSame = planning.version(service.id, rollout.toVersion)?.templateHash === version.templateHash;
  if (!isSame || service.force !== rollout.force || service.isRollback) return false;
  // a trial that failed begins anew
  return phaseOf(rollout) === "switched" || (phaseOf(rollout) === "trial" && !isHalted(rollout));
}
