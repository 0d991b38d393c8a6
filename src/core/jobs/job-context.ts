// What the parts of a job's plan share: the job with all that is known of it, and the making of a run. Pure.

import { type JobRun, type JobSpec, type JobState, type NextTick, runKey } from "../model/job.ts";
import type { Service, ServiceVersion, Task } from "../model/records.ts";
import type { World } from "../model/world.ts";
import type { Planning } from "../reconcile/planning.ts";

export type JobContext = {
  readonly planning: Planning;
  readonly service: Service;
  readonly version: ServiceVersion;
  readonly spec: JobSpec;
  readonly tasks: readonly Task[];
  /** Kept runs, oldest first. */
  readonly runs: readonly JobRun[];
  readonly job: JobState;
  readonly nextTick: NextTick;
};

/** Kept runs of a job, oldest first. */
export function runsOf(world: World, service: Pick<Service, "id">): readonly JobRun[] {
  const found: JobRun[] = [];
  for (const run of world.state.run.values()) if (run.serviceId === service.id) found.push(run);
  return found.sort((a, b) => a.number - b.number);
}

export function serviceNamed(world: World, name: string): Service | undefined {
  for (const service of world.state.service.values()) if (service.name === name) return service;
  return undefined;
}

/** A change of the template, or a forced update, is another deploy; a change of a label is none. */
export function madeFor(service: Service, version: ServiceVersion): string {
  return `${service.force}/${version.templateHash}`;
}

/** The last successes of jobs that are there, by their ids: what a job that follows them from now on has followed. */
export function successesBefore(planning: Planning, names: readonly string[]): JobState["followed"] {
  const { world } = planning;
  if (names.length > 0) planning.lookAround();
  const before = names.flatMap((name) => serviceNamed(world, name) ?? []);
  return Object.fromEntries(before.map(({ id }) => [id, world.state.job.get(id)?.succeeded ?? 0]));
}

/** A new run, as the job's state counts it. The caller says what else of the state changes. */
export function makeRun(
  { planning, service, job }: JobContext,
  run: Pick<JobRun, "cause" | "state" | "message"> & Partial<JobRun>,
  changes: Partial<JobState>,
): JobState {
  const number = job.runs + 1;
  const record: JobRun = {
    id: runKey(service.id, number),
    serviceId: service.id,
    number,
    specVersion: service.version,
    createdAtMs: planning.nowMs,
    ...run,
  };
  const next: JobState = { ...job, ...changes, runs: number };
  planning.steps.push({ kind: "run", run: record, why: run.message === "" ? run.cause : run.message });
  planning.steps.push({ kind: "job", job: next });
  return next;
}
