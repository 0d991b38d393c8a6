// How far a job is: a command that made a run waits for its end; a job with a schedule, or after others, is settled once that is known. Pure.

import { madeFor, runsOf } from "../../core/jobs/job-context.ts";
import type { JobRun } from "../../core/model/job.ts";
import type { Service, Task } from "../../core/model/records.ts";
import type { ProgressView } from "../../core/model/views.ts";
import type { World } from "../../core/model/world.ts";
import { heldBack } from "../../core/reconcile/dependencies.ts";
import { taskName } from "../../core/reconcile/step.ts";
import { currentVersion } from "../../core/commands/versions.ts";
import { runView } from "./jobs.ts";
import { iso } from "./time.ts";

export type JobVerdict = Pick<ProgressView, "state" | "done" | "ok" | "message" | "desired" | "healthy" | "updated">;

const NONE = { desired: 0, healthy: 0, updated: 0 } as const;

/** The progress of the run that a user waits for, or that there is none to wait for. `tasks`: all of the job. */
export function jobProgress(world: World, service: Service, tasks: readonly Task[]): JobVerdict {
  const held = heldBack(world, service, currentVersion(world.state, service), tasks);
  if (held !== undefined && isAwaited(world, service))
    return { ...NONE, state: "converging", done: false, ok: true, message: held.reason };
  if (isAwaited(world, service))
    return { ...NONE, state: "converging", done: false, ok: true, message: "its run is about to be made" };
  const last = lastOf(runsOf(world, service));
  if (last === undefined || isByItself(last))
    return { ...NONE, state: "converged", done: true, ok: true, message: whenNext(world, service) };
  const { completed, wanted } = runView(world, last);
  const counts = { desired: wanted, healthy: completed, updated: completed };
  if (last.state === "running") return { ...counts, ...underWay(world, last, tasks, `${completed} of ${wanted}`) };
  const ok = last.state === "succeeded";
  const message = `run ${last.number} ${last.state}${last.message === "" ? "" : `: ${last.message}`}`;
  return { ...counts, state: "converged", done: true, ok, message };
}

/** The run under way that somebody asked for, before what the schedule has made or left out meanwhile. */
function lastOf(runs: readonly JobRun[]): JobRun | undefined {
  return runs.findLast((run) => run.state === "running" && !isByItself(run)) ?? runs.at(-1);
}

function isByItself({ cause }: JobRun): boolean {
  return cause === "scheduled" || cause === "after";
}

/** A run was asked for, or is to come of a deploy, and the control loop has not made it yet. */
function isAwaited(world: World, service: Service): boolean {
  const { state } = world;
  const version = currentVersion(state, service);
  const { job: spec } = version.spec;
  const known = state.job.get(service.id);
  if ((service.job?.requested ?? 0) > (known?.requested ?? 0)) return true;
  const runsAtDeploy = spec?.schedule === undefined && spec?.after.length === 0 && service.job?.suspended !== true;
  return runsAtDeploy && known?.made !== madeFor(service, version);
}

function underWay(
  world: World,
  run: JobRun,
  tasks: readonly Task[],
  counted: string,
): Pick<JobVerdict, "state" | "done" | "ok" | "message"> {
  const live = tasks.filter((task) => task.run === run.number && task.desired === "running");
  const waiting = live.find((task) => task.nodeId === undefined && task.waiting !== undefined);
  const isMoving = live.some((task) => task.nodeId !== undefined);
  if (waiting !== undefined && !isMoving)
    return {
      state: "unplaceable",
      done: true,
      ok: false,
      message: `${taskName(waiting, world.state)}: ${waiting.waiting}`,
    };
  const troubled = live.find((task) => (world.state.taskStatus.get(task.id)?.reason ?? "") !== "");
  const reason = troubled === undefined ? "" : world.state.taskStatus.get(troubled.id)?.reason;
  const trouble = troubled === undefined ? "" : `; ${taskName(troubled, world.state)}: ${reason}`;
  return {
    state: "converging",
    done: false,
    ok: true,
    message: `run ${run.number}: ${counted} tasks are done${trouble}`,
  };
}

function whenNext(world: World, service: Service): string {
  if (service.job?.suspended === true) return "it is suspended";
  const { job } = currentVersion(world.state, service).spec;
  const nextTickAtMs = world.state.job.get(service.id)?.nextTickAtMs;
  if (job !== undefined && job.after.length > 0) return `it runs after ${job.after.join(", ")}`;
  return nextTickAtMs === undefined ? "it has a schedule" : `it runs next at ${iso(nextTickAtMs)}`;
}
