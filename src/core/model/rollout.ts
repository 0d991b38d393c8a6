// The record of a rollout: the change of a service from one version to another, where it stands, and what users asked of it. Written by the
// control loop only. Pure.

import type { ServiceId, TaskId } from "./ids.ts";
import type { WallMs } from "./records.ts";

export const ROLLOUT_STATES = [
  /** New tasks run beside the old ones, which are all still there: canaries, or the whole new set of a blue-green change. */
  "trial",
  /** Blue-green: the new set serves, the old one is kept for a way back. */
  "switched",
  "updating",
  "watching",
  "paused",
  "completed",
  "rolling_back",
  "rollback_paused",
  "rolled_back",
  "superseded",
] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

/** The change of a service from one version to another; one record per service, the newest. Key: serviceId. */
export type Rollout = {
  readonly id: ServiceId;
  readonly fromVersion?: number;
  readonly toVersion: number;
  readonly force: number;
  readonly state: RolloutState;
  readonly startedAtMs: WallMs;
  readonly completedAtMs?: WallMs;
  readonly message: string;
  /** Another service comes first: `message` says which. */
  readonly isHeld?: true;
  /** When the last batch became healthy: the next starts `delayMs` later. */
  readonly batchDoneAtMs?: WallMs;
  /** When all was healthy: `monitorMs` counts from here. */
  readonly convergedAtMs?: WallMs;
  /** Tasks of `toVersion` that failed in this rollout: each counts once. */
  readonly failedTaskIds: readonly TaskId[];
  /** How many of those do not count any more, because a user let the rollout go on. */
  readonly forgiven?: number;
  /** The most slots that were done, of how many, and since when: the progress deadline counts from there. */
  readonly progress?: { readonly done: number; readonly of: number; readonly atMs: WallMs };
  /** Since when all tasks on trial have been healthy without a break. */
  readonly healthySinceMs?: WallMs;
  /** When the trial was over. */
  readonly promotedAtMs?: WallMs;
  /** While it is paused: from which state, since when, and whether a user paused it. */
  readonly paused?: { readonly from: RolloutState; readonly atMs: WallMs; readonly byHand: boolean };
  /** How many of the service's wishes were answered; absent: none. */
  readonly answered?: Omit<RolloutWish, "paused">;
};

export type UpdateStatus = {
  readonly state: "updating" | "paused" | "completed" | "rollback_started" | "rollback_paused" | "rollback_completed";
  readonly startedAtMs: WallMs;
  readonly completedAtMs?: WallMs;
  readonly message: string;
};

/** `paused`: begin nothing more. The numbers grow with each request to wait no longer, or to go on after a failure. */
export type RolloutWish = { readonly paused: boolean; readonly promotions: number; readonly resumes: number };
