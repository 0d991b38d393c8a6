// Jobs: services that end. What is asked of one (part of its specification), one execution of it, and what the plan has answered so far. Pure.

import type { Id, NodeId, ServiceId } from "./ids.ts";

/** A cron rule of five fields, or six with seconds first, in a time zone of the IANA database. */
export type JobSchedule = { readonly cron: string; readonly timezone: string };

/** What happens when a run is due while another is under way. */
export type Overlap = "forbid" | "allow" | "replace";

export type JobSpec = {
  readonly schedule?: JobSchedule;
  /** Full names of jobs: this one runs when all have succeeded since its last run. Never together with a schedule. */
  readonly after: readonly string[];
  readonly overlap: Overlap;
  /** How late a run may begin; a tick that is later is skipped. */
  readonly startingDeadlineMs: number;
  /** A run that takes longer fails; 0 means no limit. */
  readonly timeoutMs: number;
  /** Ended runs that are kept, with their containers' logs. */
  readonly keptRuns: number;
};

export const MAX_KEPT_RUNS = 100;
/** Missed ticks are counted up to this number, which means as many or more: a calendar takes some 50 µs for each, and beats wait meanwhile. */
export const MAX_MISSED_COUNT = 1_000;

/** The first tick of a schedule after a time (wall-clock milliseconds); undefined when there is none. Throws `invalid_input` in words. */
export type NextTick = (schedule: JobSchedule, afterMs: number) => number | undefined;

export type RunId = Id<"run">;

export type RunState = "running" | "succeeded" | "failed" | "cancelled" | "skipped";

/** Why a run was made. */
export type RunCause = "deployed" | "scheduled" | "requested" | "after";

/** One execution of a job. Written by the control loop only. Key: `<serviceId>/<number>`. */
export type JobRun = {
  readonly id: RunId;
  readonly serviceId: ServiceId;
  /** 1, 2, 3 … for each job. */
  readonly number: number;
  readonly specVersion: number;
  readonly cause: RunCause;
  readonly state: RunState;
  readonly createdAtMs: number;
  readonly endedAtMs?: number;
  /** The tick that it is for, and how many earlier ones it stands for, counted up to MAX_MISSED_COUNT. */
  readonly tickAtMs?: number;
  readonly missed?: number;
  /** Nodes of a global job's run, as they were when it was made. */
  readonly nodeIds?: readonly NodeId[];
  /** How it ended, in words; empty while it runs and when all is well. */
  readonly message: string;
};

/** What the plan has answered of a job so far. Written by the control loop only. Key: the service's id. */
export type JobState = {
  readonly id: ServiceId;
  /** Number of the last run. */
  readonly runs: number;
  /** Number of the last run that succeeded; 0 for none. */
  readonly succeeded: number;
  /** `Service.job.requested` as it was answered. */
  readonly requested: number;
  /** What the last deploy's run was made for: force and template. */
  readonly made: string;
  /** The schedule that `nextTickAtMs` is of. */
  readonly scheduleKey: string;
  readonly nextTickAtMs?: number;
  /** Of each job before this one: the number of its last success that a run of this one followed. */
  readonly followed: Readonly<Record<string, number>>;
};

/** Key of a run's record. */
export function runKey(serviceId: string, number: number): RunId {
  return `${serviceId}/${number}` as RunId;
}
