// How the API shows rollouts and the history of versions: plain JSON, times as ISO 8601 texts. Pure types.

import type { RolloutState } from "./rollout.ts";

/** The last change of a service that was changed since its first deploy. */
export type RolloutView = {
  readonly service: string;
  readonly serviceId: string;
  readonly stack?: string;
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly strategy: "rolling" | "canary" | "blue-green" | "rollback";
  readonly state: RolloutState;
  /** The state that it is in, or was paused in. */
  readonly phase: RolloutState;
  readonly isUnderWay: boolean;
  /** It goes on when somebody promotes it. */
  readonly waitsForPromotion: boolean;
  readonly message: string;
  readonly progress?: { readonly done: number; readonly of: number };
  readonly startedAt: string;
  readonly completedAt?: string;
  /** When it promotes itself, if its new tasks stay healthy. */
  readonly promotesAt?: string;
  /** Until then the old set is kept for a way back. */
  readonly keptUntil?: string;
};
/** A kept version of a service: who made it, what for, and what became of it. */
export type VersionHistoryView = {
  readonly version: number;
  readonly isCurrent: boolean;
  readonly stable: boolean;
  readonly image: string;
  readonly by?: string;
  readonly reason?: string;
  readonly createdAt: string;
  readonly outcome?: { readonly state: RolloutState; readonly message: string; readonly at: string };
  /** The kept version before, which `changes` tells the difference from. */
  readonly comparedTo?: number;
  readonly changes: readonly string[];
};
export type RolloutDetailView = {
  readonly service: string;
  readonly serviceId: string;
  readonly rollout?: RolloutView;
  /** The newest first. */
  readonly versions: readonly VersionHistoryView[];
};
