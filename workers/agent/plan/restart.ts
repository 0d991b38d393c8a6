// The restart policy on the node: whether an ended attempt gets another, and when. Backoff doubles and is capped; it starts
// afresh after an attempt that lasted. Crash loops never spin: even a policy with delay 0 waits from the second time on. Pure.

import type { RestartPolicy } from "../../../src/core/model/service-spec.ts";
import { backoffMs } from "../../../src/core/restart/backoff.ts";
import type { TaskRun } from "./types.ts";

/** The shortest wait from the second failure in a row on, whatever the policy says. */
export const RETRY_DELAY_MIN_MS = 500;
/** An attempt that ran so long was no crash loop. */
export const LASTING_RUN_MS = 60_000;
/** No policy in sight asks for more attempts than this within its window. */
export const MAX_RETRIES_KEPT = 100;

export type Ended = {
  readonly policy: RestartPolicy;
  readonly isJob: boolean;
  readonly succeeded: boolean;
  /** The host or the engine ended it, not the task itself: does not count, and does not wait. */
  readonly interrupted: boolean;
  readonly nowMs: number;
};

export type RetryDecision =
  | { readonly retryAtMs: number; readonly streak: number }
  | { readonly exhausted: true; readonly why: string };

/** What comes after an attempt that ended. */
export function decideRetry(run: TaskRun, ended: Ended): RetryDecision {
  const { policy, nowMs } = ended;
  if (ended.succeeded && (ended.isJob || policy.condition === "on-failure")) return { exhausted: true, why: "" };
  if (ended.interrupted && !(ended.isJob && policy.condition === "none")) return { retryAtMs: nowMs, streak: 0 };
  if (policy.condition === "none") return { exhausted: true, why: "restart condition is none" };
  const recent = policy.windowMs === 0 ? run.retriedAtMs : run.retriedAtMs.filter((at) => at > nowMs - policy.windowMs);
  if (policy.maxAttempts > 0 && recent.length >= Math.min(policy.maxAttempts, MAX_RETRIES_KEPT)) {
    return { exhausted: true, why: `no attempts left: ${policy.maxAttempts} after the first were made` };
  }
  const lasted = run.status.startedAtMs !== undefined && nowMs - run.status.startedAtMs >= LASTING_RUN_MS;
  const streak = lasted ? 1 : run.streak + 1;
  return { retryAtMs: nowMs + retryDelayMs(policy.delayMs, streak), streak };
}

/** Wait before the next attempt after `streak` ends in a row (1 or more). */
export function retryDelayMs(firstDelayMs: number, streak: number): number {
  return backoffMs(Math.max(firstDelayMs, streak > 1 ? RETRY_DELAY_MIN_MS : 0), streak);
}
