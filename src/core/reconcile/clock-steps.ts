// A wall clock that is set forward or back is no time that passed: delays, holds, deadlines and waits go on from where they were. What counts
// them is moved along with the clock, once, in the commit that notes the step. Pure.

import type { Change, Cluster, NodeStatus, Task } from "../model/records.ts";
import type { JobRun } from "../model/job.ts";
import type { Rollout } from "../model/rollout.ts";
import type { State } from "../model/world.ts";

/** Less is what slewing and rounding do. */
const STEP_MS = 1_000;

/** Both clocks of a machine at one moment. */
export type Clocks = NonNullable<Cluster["clock"]>;

/**
 * The changes that follow a step of the wall clock, told by the boot clock since both were noted last; none when there was none. A machine that
 * booted since has a new boot clock: then the time that passed is what the wall clock says, unless it says that what is written down as past
 * is still to come. Then no time passed since the newest of that.
 */
export function clockChanges(state: State, { bootId, wallMs, bootMs }: Clocks): readonly Change[] {
  const [cluster] = state.cluster.values();
  if (cluster === undefined) return [];
  const { clock } = cluster;
  const noted: Cluster = { ...cluster, clock: { bootId, wallMs, bootMs } };
  const note: Change = { op: "put", kind: "cluster", record: noted };
  const stepMs =
    clock?.bootId === bootId
      ? wallMs - clock.wallMs - (bootMs - clock.bootMs)
      : Math.min(0, wallMs - newestDateMs(state, clock?.wallMs));
  const isStep = Math.abs(stepMs) >= STEP_MS;
  if (isStep) return [note, ...moved(state, stepMs)];
  return clock?.bootId === bootId ? [] : [note];
}

const ROLLOUT_DATES = ["startedAtMs", "batchDoneAtMs", "convergedAtMs", "healthySinceMs", "promotedAtMs"] as const;
const TASK_DATES = ["createdAtMs", "assignedAtMs", "endedAtMs"] as const;

/** The newest of the dates that would be moved. */
function newestDateMs(state: State, notedMs = 0): number {
  let newest = notedMs;
  const see = (...dates: readonly (number | undefined)[]): void => {
    for (const date of dates) if (date !== undefined && date > newest) newest = date;
  };
  for (const rollout of state.rollout.values())
    see(...ROLLOUT_DATES.map((name) => rollout[name]), rollout.progress?.atMs, rollout.paused?.atMs);
  for (const task of state.task.values())
    see(...TASK_DATES.map((name) => task[name]), task.withdrawal?.startedAtMs, task.resize?.atMs);
  for (const { unseenSinceMs, lostAtMs } of state.nodeStatus.values()) see(unseenSinceMs, ...lostAtMs);
  for (const { endedAtMs, createdAtMs } of state.run.values()) if (endedAtMs === undefined) see(createdAtMs);
  return newest;
}

function moved(state: State, byMs: number): readonly Change[] {
  return [
    ...[...state.rollout.values()].map((rollout): Change => put("rollout", movedRollout(rollout, byMs))),
    ...[...state.task.values()].map((task): Change => put("task", movedTask(task, byMs))),
    ...[...state.nodeStatus.values()]
      .filter(({ lostAtMs }) => lostAtMs.length > 0)
      .map((status): Change => put("nodeStatus", movedStatus(status, byMs))),
    ...[...state.run.values()]
      .filter(({ endedAtMs }) => endedAtMs === undefined)
      .map((run): Change => put("run", movedRun(run, byMs))),
  ];
}

function put<Kind extends "rollout" | "task" | "nodeStatus" | "run">(
  kind: Kind,
  record: Extract<Change, { op: "put"; kind: Kind }>["record"],
): Change {
  return { op: "put", kind, record } as Change;
}

function movedRollout(rollout: Rollout, byMs: number): Rollout {
  const { progress, paused } = rollout;
  return {
    ...movedFields(rollout, ROLLOUT_DATES, byMs),
    ...(progress === undefined ? {} : { progress: { ...progress, atMs: progress.atMs + byMs } }),
    ...(paused === undefined ? {} : { paused: { ...paused, atMs: paused.atMs + byMs } }),
  };
}

function movedTask(task: Task, byMs: number): Task {
  const { withdrawal, resize } = task;
  return {
    ...movedFields(task, TASK_DATES, byMs),
    ...(withdrawal === undefined ? {} : { withdrawal: { ...withdrawal, startedAtMs: withdrawal.startedAtMs + byMs } }),
    ...(resize === undefined ? {} : { resize: { ...resize, atMs: resize.atMs + byMs } }),
  };
}

function movedStatus(status: NodeStatus, byMs: number): NodeStatus {
  return { ...movedFields(status, ["unseenSinceMs"], byMs), lostAtMs: status.lostAtMs.map((atMs) => atMs + byMs) };
}

/** What a schedule says is said by the wall clock; how long a run has taken is not. */
function movedRun(run: JobRun, byMs: number): JobRun {
  return movedFields(run, ["createdAtMs"], byMs);
}

function movedFields<Kind extends object>(record: Kind, names: readonly (keyof Kind)[], byMs: number): Kind {
  const next = { ...record };
  for (const name of names) {
    const atMs = record[name];
    if (typeof atMs === "number") next[name] = (atMs + byMs) as Kind[keyof Kind];
  }
  return next;
}
