// What a service's policy comes to for the slots that it has now: percentages as numbers, and the policy that counts when going back. Pure.

import type { Rollout } from "../model/rollout.ts";
import type { ServiceSpec } from "../model/service-spec.ts";
import {
  DEFAULT_PROGRESS_DEADLINE_MS,
  type Share,
  type UpdatePolicy,
  type UpdateStrategy,
} from "../model/update-policy.ts";
import { phaseOf } from "./phase.ts";

/** The policy that counts in a rollout: on its way back another one than forward. */
export function policyOf(spec: ServiceSpec, rollout: Rollout): UpdatePolicy {
  return phaseOf(rollout) === "rolling_back" ? spec.rollback : spec.update;
}

/** The policy of a rollout, its parallelism as a number of slots (0: all). */
export function policyFor(spec: ServiceSpec, rollout: Rollout, slotCount: number): UpdatePolicy {
  const policy = policyOf(spec, rollout);
  return { ...policy, parallelism: parallelismOf(policy, slotCount) };
}

/** How many slots may change at once; 0: all. */
export function parallelismOf({ parallelism, parallelismPercent }: UpdatePolicy, slotCount: number): number {
  return parallelismPercent === undefined ? parallelism : shareOf({ percent: parallelismPercent }, slotCount);
}

/** So many of `count`: percentages are rounded down, but come to one at least. Never more than there are. */
export function shareOf(share: Share, count: number): number {
  const wanted = "tasks" in share ? share.tasks : Math.max(1, Math.floor((share.percent * count) / 100));
  return Math.min(wanted, count);
}

/** How many slots get a task on trial. */
export function trialCount(strategy: UpdateStrategy | undefined, slotCount: number): number {
  if (strategy === undefined) return 0;
  return strategy.kind === "canary" ? shareOf(strategy.canaries, slotCount) : slotCount;
}

export function progressDeadlineMs(policy: UpdatePolicy): number {
  return policy.progressDeadlineMs ?? DEFAULT_PROGRESS_DEADLINE_MS;
}

/** "10 min", "90 s": for sentences. */
export function spanOf(ms: number): string {
  if (ms >= 7_200_000) return `${Math.round(ms / 3_600_000)} h`;
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${ms / 1_000} s`;
}
