// Jobs and their runs as the API shows them. Pure.

import { invariant } from "../../core/model/invariant.ts";
import type { JobRun } from "../../core/model/job.ts";
import type { Service } from "../../core/model/records.ts";
import { isJobMode } from "../../core/model/service-spec.ts";
import type { JobDetailView, JobView, RunView } from "../../core/model/views.ts";
import { versionKey, type World } from "../../core/model/world.ts";
import { currentVersion } from "../../core/commands/versions.ts";
import { runsOf } from "../../core/jobs/job-context.ts";
import { iso, maybe } from "./time.ts";

/** All jobs, by name. */
export function jobViews(world: World, stack?: string): readonly JobView[] {
  return [...world.state.service.values()]
    .filter((service) => isJobMode(service.mode) && (stack === undefined || service.stack === stack))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((service) => jobView(world, service));
}

export function jobView(world: World, service: Service): JobView {
  const { spec } = currentVersion(world.state, service);
  const runs = runsOf(world, service);
  const last = runs.at(-1);
  const nextTickAtMs = world.state.job.get(service.id)?.nextTickAtMs;
  return {
    id: service.id,
    index: service.index,
    name: service.name,
    ...maybe("stack", service.stack),
    image: spec.template.container.image,
    mode: service.mode,
    ...maybe("schedule", spec.job?.schedule),
    after: spec.job?.after ?? [],
    suspended: service.job?.suspended === true,
    ...maybe("nextRunAt", nextTickAtMs === undefined ? undefined : iso(nextTickAtMs)),
    ...maybe("lastRun", last === undefined ? undefined : runView(world, last)),
    active: runs.filter(({ state }) => state === "running").map(({ number }) => number),
  };
}

export function jobDetailView(world: World, service: Service): JobDetailView {
  const { job } = currentVersion(world.state, service).spec;
  invariant(job !== undefined, `job ${service.name} has no job in its specification`);
  const runs = runsOf(world, service).toReversed();
  return { ...jobView(world, service), runs: runs.map((run) => runView(world, run)), spec: job };
}

export function runView(world: World, run: JobRun): RunView {
  const { state } = world;
  const mode = state.serviceVersion.get(versionKey(run.serviceId, run.specVersion))?.spec.mode;
  const wanted = mode?.kind === "replicated-job" ? mode.completions : (run.nodeIds?.length ?? 0);
  const done = new Set<string | number>();
  for (const task of state.task.values()) {
    if (task.serviceId !== run.serviceId || task.run !== run.number) continue;
    if (state.taskStatus.get(task.id)?.state === "complete") done.add(task.onlyNode ?? task.slot);
  }
  return {
    number: run.number,
    version: run.specVersion,
    cause: run.cause,
    state: run.state,
    createdAt: iso(run.createdAtMs),
    ...maybe("endedAt", run.endedAtMs === undefined ? undefined : iso(run.endedAtMs)),
    ...maybe("tickAt", run.tickAtMs === undefined ? undefined : iso(run.tickAtMs)),
    ...maybe("missed", run.missed),
    message: run.message,
    completed: done.size,
    wanted,
  };
}
