// Where a rollout stands: which states are paused ones, what they were paused in, and when tasks of two versions are to run side by side. Pure.

import type { Rollout, RolloutState } from "../model/rollout.ts";

/** Whether it goes on by itself. */
export function isPaused({ state }: Rollout): boolean {
  return state === "paused" || state === "rollback_paused";
}

/** Paused because of a failure or its deadline: its version starts nothing. */
export function isHalted(rollout: Rollout): boolean {
  return isPaused(rollout) && rollout.paused?.byHand !== true;
}

/** The state that it is in, or was paused in. */
export function phaseOf(rollout: Rollout): RolloutState {
  if (!isPaused(rollout)) return rollout.state;
  return rollout.paused?.from ?? (rollout.state === "paused" ? "updating" : "rolling_back");
}

/** Whether each slot is to have tasks of both versions. */
export function isBeside(rollout: Rollout | undefined): rollout is Rollout {
  if (rollout === undefined) return false;
  const phase = phaseOf(rollout);
  return phase === "trial" || phase === "switched";
}

/** Whether its change has not ended yet, paused or not. */
export function isUnderWay(rollout: Rollout): boolean {
  return UNDER_WAY.has(rollout.state);
}

const UNDER_WAY: ReadonlySet<RolloutState> = new Set([
  "trial",
  "switched",
  "updating",
  "rolling_back",
  "paused",
  "rollback_paused",
]);
