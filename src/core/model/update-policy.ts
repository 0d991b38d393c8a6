// How a service is changed from one version to another, and back. Durations are milliseconds. Pure.

/** A part of a service's tasks: so many, or a percentage of them, rounded down, but at least one. */
export type Share = { readonly tasks: number } | { readonly percent: number };

/**
 * How new tasks come when they do not simply take over in batches. `holdMs`: how long all of them must have been healthy before the change goes on
 * by itself; absent: until a user promotes it.
 */
export type UpdateStrategy =
  /** Some first, beside the old ones, of which none goes before the promotion. */
  | {
      readonly kind: "canary";
      readonly canaries: Share;
      readonly holdMs?: number;
      /** Weight of each canary's endpoint until the promotion, 0–100; all others have 100. */
      readonly weight: number;
    }
  /** All of them beside the old ones; then the routes go over at once, and the old ones are kept for a while. */
  | { readonly kind: "blue-green"; readonly holdMs?: number; readonly keepMs: number };

/** How long a change may make no progress, unless its policy says otherwise. */
export const DEFAULT_PROGRESS_DEADLINE_MS = 600_000;

/** What is absent is not asked for. */
export type UpdatePolicy = {
  /** Tasks changed at once; 0 means all. */
  readonly parallelism: number;
  /** Counts instead of `parallelism`: a percentage of the tasks, rounded down, but at least one; 1–100. */
  readonly parallelismPercent?: number;
  /** Absent: in batches. Never in a rollback's policy: going back goes straight. */
  readonly strategy?: UpdateStrategy;
  /** A change that makes no progress for so long ends: by `failureAction`, but pausing where that is continue. Absent: the default. */
  readonly progressDeadlineMs?: number;
  /** Wait between batches. */
  readonly delayMs: number;
  readonly order: "start-first" | "stop-first";
  readonly failureAction: "pause" | "continue" | "rollback";
  /** Fraction 0–1 of the tasks that may fail before `failureAction`. */
  readonly maxFailureRatio: number;
  /** How long after convergence a failure still triggers `failureAction`; delays nothing. */
  readonly monitorMs: number;
};
