// What users ask of a rollout under way: to pause it, and to let it go on. The service's record holds the wish, the rollout's the answer. Pure.

import type { Rollout, RolloutState } from "../model/rollout.ts";
import type { Planning, ServiceContext } from "../reconcile/planning.ts";
import { isPaused, phaseOf } from "./phase.ts";

/** States in which there is something left to begin. */
const PAUSABLE: ReadonlySet<RolloutState> = new Set(["trial", "switched", "updating", "rolling_back"]);

/** Whether it can be paused by hand: a first deploy has begun all that it begins. */
export function isPausable({ state, fromVersion }: Rollout): boolean {
  return PAUSABLE.has(state) && fromVersion !== undefined;
}

/** Answers wishes. True if that ends this pass. */
export function planWishes(planning: Planning, { service }: ServiceContext, rollout: Rollout): boolean {
  const { asked } = service;
  if (!isPaused(rollout)) {
    if (asked?.paused !== true || !isPausable(rollout)) return false;
    pause(planning, rollout);
    return true;
  }
  const isWanted =
    rollout.paused?.byHand === true
      ? asked?.paused !== true
      : asked?.paused !== true && (asked?.resumes ?? 0) > (rollout.answered?.resumes ?? 0);
  if (isWanted) goOn(planning, rollout, asked?.resumes ?? 0);
  return isWanted;
}

function pause(planning: Planning, rollout: Rollout): void {
  const why = `paused by hand while it was ${WORDS[rollout.state] ?? rollout.state}`;
  planning.noteRollout(
    {
      ...rollout,
      state: rollout.state === "rolling_back" ? "rollback_paused" : "paused",
      paused: { from: rollout.state, atMs: planning.nowMs, byHand: true },
      message: why,
    },
    why,
  );
}

const WORDS: Partial<Readonly<Record<RolloutState, string>>> = {
  trial: "on trial",
  rolling_back: "rolling back",
};

/** The time in between does not count, and the failures before it are forgiven. */
function goOn(planning: Planning, rollout: Rollout, resumes: number): void {
  const { nowMs } = planning;
  const { paused, healthySinceMs: _since, progress, ...rest } = rollout;
  const pausedMs = nowMs - (paused?.atMs ?? nowMs);
  const isByHand = paused?.byHand === true;
  // one that ended by its deadline gets all of it again
  const countedSinceMs = progress?.atMs ?? rest.promotedAtMs ?? rest.startedAtMs;
  const atMs = isByHand ? countedSinceMs + pausedMs : nowMs;
  const kept =
    rest.promotedAtMs === undefined || paused?.from !== "switched" ? {} : keptOn(rest.promotedAtMs, pausedMs);
  const message = "goes on by request";
  planning.noteRollout(
    {
      ...rest,
      ...kept,
      state: phaseOf(rollout),
      progress: { done: 0, of: 0, ...progress, atMs },
      ...(isByHand ? {} : { forgiven: rollout.failedTaskIds.length }),
      answered: { promotions: rollout.answered?.promotions ?? 0, resumes },
      message,
    },
    message,
  );
}

/** An old set is kept for as long as was asked, pauses apart. */
function keptOn(promotedAtMs: number, pausedMs: number): { readonly promotedAtMs: number } {
  return { promotedAtMs: promotedAtMs + pausedMs };
}
