// One job in one pass of the plan: its runs go on, new ones begin, old ones leave the history. Runs first: what they changed shows in the
// next pass, and only then is decided whether another may begin. Pure.

import { invariant } from "../model/invariant.ts";
import type { JobSpec, JobState, NextTick } from "../model/job.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import { planForget, planLeftovers } from "../reconcile/history.ts";
import type { Planning } from "../reconcile/planning.ts";
import { type JobContext, runsOf, successesBefore } from "./job-context.ts";
import { endRun, planRun } from "./run.ts";
import { planStarts } from "./starts.ts";

/** Plans a service whose mode is that of a job. */
export function planJob(
  planning: Planning,
  service: Service,
  version: ServiceVersion,
  tasks: readonly Task[],
  nextTick: NextTick,
): void {
  const spec = version.spec.job;
  invariant(spec !== undefined, `job ${service.name} has no job in its specification`);
  const runs = runsOf(planning.world, service);
  const job = planning.world.state.job.get(service.id) ?? firstState(planning, service, spec);
  const context: JobContext = { planning, service, version, spec, tasks, runs, job, nextTick };
  const before = planning.steps.length;
  for (const task of tasks) planning.finishWithdrawal(task);
  planLeftovers(planning, tasks);
  for (const run of runs.filter(({ state }) => state === "running")) planRun(context, run);
  if (planning.steps.length > before) return;
  planStarts(context);
  planRunHistory(context);
}

/** Successes of the jobs before it that came before this one was there are none that it follows. */
function firstState(planning: Planning, service: Service, spec: JobSpec): JobState {
  const followed = successesBefore(planning, spec.after);
  return { id: service.id, runs: 0, succeeded: 0, requested: 0, made: "", scheduleKey: "", followed };
}

/** Runs beyond those to keep go with their tasks; the record goes once nothing of them is left. */
function planRunHistory(context: JobContext): void {
  const { planning, runs, spec, tasks } = context;
  const ended = runs.filter(({ state }) => state !== "running");
  const skipped = ended.filter(({ state }) => state === "skipped");
  const judged = ended.filter(({ state }) => state !== "skipped");
  // skipped ones must not push out those that have something to tell
  const excess = [skipped, judged].flatMap((list) => list.slice(0, Math.max(0, list.length - spec.keptRuns)));
  for (const run of excess) {
    const left = tasks.filter((task) => task.run === run.number);
    for (const task of left) if (task.desired === "shutdown" && !planning.isEnding(task)) planForget(planning, task);
    if (left.length === 0) planning.steps.push({ kind: "forgetRun", run });
  }
  // a run that ended while one of its tasks was on its way
  for (const run of ended) endRun(context, run, "its run is over");
}
