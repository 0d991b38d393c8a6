// A change on trial: its new tasks run beside the old ones until all of them have been healthy for as long as asked, or until a user promotes
// it. Canaries then go on in batches; a blue-green change switches at once, and keeps the old set for a while. Pure.

import type { Rollout } from "../model/rollout.ts";
import type { UpdatePolicy, UpdateStrategy } from "../model/update-policy.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { spanOf } from "./policy.ts";
import { isLate, planLate, planProgress } from "./progress.ts";
import { type Tracks, workingIn } from "./tracks.ts";

/** New tasks are on trial: are they healthy, and for how long? */
export function planTrial(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  policy: UpdatePolicy,
  { fresh, old }: Tracks,
): void {
  const { strategy } = policy;
  if (strategy === undefined) {
    promote(planning, rollout, "the update goes on in batches: its policy asks for no trial any more", strategy);
    return;
  }
  const working = workingIn(planning, fresh).length;
  // with every node lost there is nothing to try on now
  const isOnLostOnes =
    old.length > 0 || context.tasks.some((task) => task.desired === "running" && planning.isCurrent(context, task));
  if (working < fresh.length || (fresh.length === 0 && isOnLostOnes)) {
    if (rollout.healthySinceMs !== undefined) interrupt(planning, rollout, working, fresh.length);
    else if (planProgress(planning, rollout, working, fresh.length)) return;
    else if (isLate(planning, rollout, policy)) planLate(planning, context, rollout, policy, fresh);
    return;
  }
  if (rollout.healthySinceMs === undefined && fresh.length > 0) {
    hold(planning, rollout, policy, fresh.length);
    return;
  }
  if (rollout.healthySinceMs === undefined) {
    promote(planning, rollout, "there is nothing to try", strategy);
  } else if (isPromotionAsked(context, rollout)) {
    promote(planning, answered(context, rollout), "promoted by hand", strategy);
  } else if (strategy.holdMs !== undefined && planning.isDue(rollout.healthySinceMs + strategy.holdMs)) {
    const span = strategy.holdMs === 0 ? "" : ` for ${spanOf(strategy.holdMs)}`;
    promote(planning, rollout, `all new tasks have been healthy${span}`, strategy);
  }
}

/** One of them does not work any more: what was counted counts no longer. */
function interrupt(planning: Planning, rollout: Rollout, working: number, of: number): void {
  const { healthySinceMs: _since, ...rest } = rollout;
  const message = `${working} of ${of} new tasks are healthy: the wait begins anew once all are`;
  planning.noteRollout({ ...rest, message, progress: { done: working, of, atMs: planning.nowMs } }, message);
}

function hold(planning: Planning, rollout: Rollout, { strategy }: UpdatePolicy, of: number): void {
  const tasks = of === 1 ? "the new task is healthy" : `all ${of} new tasks are healthy`;
  const next = strategy?.kind === "blue-green" ? "switches over" : "is promoted";
  const holdMs = strategy?.holdMs;
  const message = holdMs === undefined ? `${tasks}; it waits to be promoted` : `${tasks}; it ${next} ${after(holdMs)}`;
  const progress = { done: of, of, atMs: planning.nowMs };
  planning.noteRollout({ ...rollout, message, progress, healthySinceMs: planning.nowMs }, message);
}

function after(holdMs: number): string {
  return holdMs === 0 ? "at once" : `after ${spanOf(holdMs)} of that`;
}

/** The trial is over. Canaries are followed by the rest; a whole set takes over. */
function promote(planning: Planning, rollout: Rollout, why: string, strategy: UpdateStrategy | undefined): void {
  const { progress: _done, ...rest } = rollout;
  const isSwitch = strategy?.kind === "blue-green";
  const message = isSwitch ? `${why}; the old tasks are kept for ${spanOf(strategy.keepMs)}` : why;
  planning.noteRollout(
    { ...rest, state: isSwitch ? "switched" : "updating", message, promotedAtMs: planning.nowMs },
    message,
  );
}

/** The new set serves. The old one goes when its time is over, or when a user says so. */
export function planSwitched(
  planning: Planning,
  context: ServiceContext,
  rollout: Rollout,
  { strategy }: UpdatePolicy,
): void {
  const keepMs = strategy?.kind === "blue-green" ? strategy.keepMs : 0;
  const isAsked = isPromotionAsked(context, rollout);
  if (!isAsked && !planning.isDue((rollout.promotedAtMs ?? rollout.startedAtMs) + keepMs)) return;
  const message = "the old tasks are not kept any longer";
  // the time for which the old ones were kept is no time without progress
  const progress = { done: 0, of: 0, atMs: planning.nowMs };
  const next: Rollout = { ...answered(context, rollout), state: "updating", message, progress };
  planning.noteRollout(next, message);
}

function isPromotionAsked({ service }: ServiceContext, rollout: Rollout): boolean {
  return (service.asked?.promotions ?? 0) > (rollout.answered?.promotions ?? 0);
}

function answered({ service }: ServiceContext, rollout: Rollout): Rollout {
  const promotions = service.asked?.promotions ?? 0;
  return { ...rollout, answered: { resumes: rollout.answered?.resumes ?? 0, promotions } };
}
