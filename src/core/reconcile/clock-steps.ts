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
  const isSameBoot = clock?.bootId === bootId;
  const stepMs = isSameBoot
    ? wallMs - clock.wallMs - (bootMs - clock.bootMs)
    : Math.min(0, wallMs - newestDateMs(state, clock?.wallMs));
  const isStep = Math.abs(stepMs) >= STEP_MS;
  if (isStep) return [note, ...moved(state, stepMs)];
  return isSameBoot ? [] : [note];
}

function newestDateMs(state: State, notedMs = 0): number {
  let newestMs = notedMs;
  dated(state, (atMs) => {
    newestMs = Math.max(newestMs, atMs);
    return atMs;
  });
  return newestMs;
}

function moved(state: State, byMs: number): readonly Change[] {
  return dated(state, (atMs) => atMs + byMs);
}

/** A date as it is to be. */
type Dating = (atMs: number) => number;

/** All records that count time, each of their dates as `dating` gives it. */
function dated(state: State, dating: Dating): readonly Change[] {
  return [
    ...[...state.rollout.values()].map((rollout): Change => put("rollout", datedRollout(rollout, dating))),
    ...[...state.task.values()].map((task): Change => put("task", datedTask(task, dating))),
    ...[...state.nodeStatus.values()]
      .filter(({ lostAtMs }) => lostAtMs.length > 0)
      .map((status): Change => put("nodeStatus", datedStatus(status, dating))),
    ...[...state.run.values()]
      .filter(({ endedAtMs }) => endedAtMs === undefined)
      .map((run): Change => put("run", datedRun(run, dating))),
  ];
}

function put<Kind extends "rollout" | "task" | "nodeStatus" | "run">(
  kind: Kind,
  record: Extract<Change, { op: "put"; kind: Kind }>["record"],
): Change {
  return { op: "put", kind, record } as Change;
}

function datedRollout(rollout: Rollout, dating: Dating): Rollout {
  const { progress, paused } = rollout;
  const names = ["startedAtMs", "batchDoneAtMs", "convergedAtMs", "healthySinceMs", "promotedAtMs"] as const;
  return {
    ...datedFields(rollout, names, dating),
    ...(progress === undefined ? {} : { progress: { ...progress, atMs: dating(progress.atMs) } }),
    ...(paused === undefined ? {} : { paused: { ...paused, atMs: dating(paused.atMs) } }),
  };
}

function datedTask(task: Task, dating: Dating): Task {
  const { withdrawal, resize } = task;
  return {
    ...datedFields(task, ["createdAtMs", "assignedAtMs", "endedAtMs"], dating),
    ...(withdrawal === undefined ? {} : { withdrawal: { ...withdrawal, startedAtMs: dating(withdrawal.startedAtMs) } }),
    ...(resize === undefined ? {} : { resize: { ...resize, atMs: dating(resize.atMs) } }),
  };
}

function datedStatus(status: NodeStatus, dating: Dating): NodeStatus {
  return { ...datedFields(status, ["unseenSinceMs"], dating), lostAtMs: status.lostAtMs.map((atMs) => dating(atMs)) };
}

/** What a schedule says is said by the wall clock; how long a run has taken is not. */
function datedRun(run: JobRun, dating: Dating): JobRun {
  return datedFields(run, ["createdAtMs"], dating);
}

function datedFields<Kind extends object>(record: Kind, names: readonly (keyof Kind)[], dating: Dating): Kind {
  const next = { ...record };
  for (const name of names) {
    const atMs = record[name];
    if (typeof atMs === "number") next[name] = dating(atMs) as Kind[keyof Kind];
  }
  return next;
}
