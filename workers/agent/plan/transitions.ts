// The one place where a task's run changes. A state only grows within an attempt; a new attempt starts over with a greater number. Pure.

import type { TaskId } from "../../../src/core/model/ids.ts";
import type { TaskState, TaskStatus } from "../../../src/core/model/records.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import { stateRank } from "../../../src/core/work/merge-status.ts";
import { decideRetry, MAX_RETRIES_KEPT } from "./restart.ts";
import type { TaskRun } from "./types.ts";

const ENDED: ReadonlySet<TaskState> = new Set(["complete", "shutdown", "failed", "rejected", "remove"]);

/** Whether an attempt in this state is over. */
export function isEnded(state: TaskState): boolean {
  return ENDED.has(state);
}

/** The first attempt of a task that was just given to this node. */
export function firstRun(taskId: TaskId, bootId: string, nowMs: number): TaskRun {
  const status: TaskStatus = {
    id: taskId,
    state: "accepted",
    stateAtMs: nowMs,
    attempt: 1,
    reason: "",
    exhausted: false,
  };
  return { status, bootId, attemptAtMs: nowMs, streak: 0, retriedAtMs: [] };
}

/** The attempt after one that ended. */
export function nextAttempt(run: TaskRun, bootId: string, nowMs: number): TaskRun {
  const status: TaskStatus = {
    id: run.status.id,
    state: "accepted",
    stateAtMs: nowMs,
    attempt: run.status.attempt + 1,
    reason: run.status.reason,
    exhausted: false,
    ...(run.status.interrupted === undefined ? {} : { interrupted: run.status.interrupted }),
  };
  const retriedAtMs = run.streak === 0 ? run.retriedAtMs : [...run.retriedAtMs, nowMs].slice(-MAX_RETRIES_KEPT);
  return { status, bootId, attemptAtMs: nowMs, streak: run.streak, retriedAtMs };
}

/** Moves a run on to a later state. A state that is not later, and a change that says nothing new, give the very same run: nobody is told. */
export function advance(run: TaskRun, state: TaskState, nowMs: number, changes: Partial<TaskStatus> = {}): TaskRun {
  const { status } = run;
  if (stateRank(state) < stateRank(status.state)) return run;
  if (state !== status.state) return { ...run, status: { ...status, ...changes, state, stateAtMs: nowMs } };
  return isNothingNew(status, changes) ? run : { ...run, status: { ...status, ...changes } };
}

function isNothingNew(status: TaskStatus, changes: Partial<TaskStatus>): boolean {
  return Object.entries(changes).every(([key, value]) => status[key as keyof TaskStatus] === value);
}

export type End = {
  readonly state: "complete" | "failed" | "rejected";
  readonly reason: string;
  readonly interrupted: boolean;
  readonly changes?: Partial<TaskStatus>;
};

/** Ends an attempt, and says whether and when another follows. */
export function endAttempt(run: TaskRun, work: TaskWork, end: End, nowMs: number): TaskRun {
  const succeeded = end.state === "complete";
  const decision = decideRetry(run, {
    policy: work.restart,
    isJob: work.isJob,
    succeeded,
    interrupted: end.interrupted,
    nowMs,
  });
  const {
    condemned: _,
    retryAtMs: __,
    postStarted: ____,
    unleased: _____,
    ...rest
  } = advance(run, end.state, nowMs, {
    ...end.changes,
    reason: end.reason,
    ...(end.interrupted ? { interrupted: (run.status.interrupted ?? 0) + 1 } : {}),
  });
  const { healthy: ___, ...status } = rest.status;
  if ("exhausted" in decision) {
    const reason = [end.reason, decision.why].filter((part) => part !== "").join("; ");
    return { ...rest, status: { ...status, exhausted: true, reason } };
  }
  return { ...rest, status, streak: decision.streak, retryAtMs: decision.retryAtMs };
}

/** Marks an attempt whose container runs, but could not be made ready, to be stopped as failed. */
export function condemnStart(run: TaskRun, reason: string): TaskRun {
  return { ...run, condemned: reason, status: { ...run.status, reason } };
}

/** Marks a running attempt to be stopped as failed. */
export function condemn(run: TaskRun, reason: string, probeAnswer: string): TaskRun {
  return { ...run, condemned: reason, status: { ...run.status, healthy: false, reason, probeAnswer } };
}
