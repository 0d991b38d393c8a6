// Whether a stack's jobs can be: schedules that fire, jobs to follow that exist and do not follow each other in a circle. Pure.

import { DavitError } from "../model/errors.ts";
import { type JobSpec, MAX_KEPT_RUNS, type NextTick } from "../model/job.ts";
import { isJobMode, type ServiceMode, type ServiceSpec } from "../model/service-spec.ts";
import { type Fault, invalid } from "./fault.ts";

const MAX_COMPLETIONS = 10_000;

/** What is wrong with one service as a job, or as a service that is none. */
export function jobFaults(
  spec: ServiceSpec,
  { nowMs, nextTick }: { readonly nowMs: number; readonly nextTick: NextTick },
): readonly Fault[] {
  const { name: where, mode, job } = spec;
  if (!isJobMode(mode))
    return job === undefined ? [] : [invalid(where, `is ${mode.kind} and has a job: only jobs have one`)];
  if (job === undefined) return [invalid(where, `is a ${mode.kind} and says nothing of its runs: it needs 'job'`)];
  const faults: Fault[] = [...countFaults(where, mode), ...numberFaults(where, job)];
  if (job.schedule !== undefined && job.after.length > 0)
    faults.push(invalid(where, "has a schedule and follows other jobs: it can do one of the two"));
  if (job.schedule !== undefined) faults.push(...scheduleFaults(where, job.schedule, nowMs, nextTick));
  if (spec.template.ports.length > 0)
    faults.push(invalid(where, "is a job and publishes ports: what must be reached is a service"));
  return faults;
}

/** Jobs that follow what is not there, or themselves. */
export function orderFaults(services: readonly ServiceSpec[], outside: readonly ServiceSpec[]): readonly Fault[] {
  const known = new Map([...outside, ...services].map((service) => [service.name, service]));
  const faults = services.flatMap((service) =>
    (service.job?.after ?? []).flatMap((name) => {
      const before = known.get(name);
      if (before === undefined) return [invalid(service.name, `runs after '${name}', and there is no such service`)];
      return isJobMode(before.mode)
        ? []
        : [invalid(service.name, `runs after '${name}', which is no job: it never ends`)];
    }),
  );
  const circle = circleIn(
    known,
    services.map((service) => service.name),
  );
  if (circle !== undefined)
    faults.push(invalid(circle[0] ?? "services", `jobs that wait for each other never run: ${circle.join(" → ")}`));
  return faults;
}

function countFaults(where: string, mode: ServiceMode): readonly Fault[] {
  if (mode.kind !== "replicated-job") return [];
  const { completions, concurrency } = mode;
  if (completions < 1 || completions > MAX_COMPLETIONS)
    return [invalid(where, `${completions} completions: must be from 1 to ${MAX_COMPLETIONS}`)];
  return concurrency > completions ? [invalid(where, `runs ${concurrency} at once of ${completions} completions`)] : [];
}

function numberFaults(where: string, job: JobSpec): readonly Fault[] {
  const faults: Fault[] = [];
  if (!Number.isSafeInteger(job.keptRuns) || job.keptRuns < 1 || job.keptRuns > MAX_KEPT_RUNS)
    faults.push(invalid(where, `keeps ${job.keptRuns} runs: must be from 1 to ${MAX_KEPT_RUNS}`));
  if (!(job.timeoutMs >= 0) || !(job.startingDeadlineMs >= 0))
    faults.push(invalid(where, "time-out and starting deadline must not be negative"));
  return faults;
}

function scheduleFaults(
  where: string,
  schedule: NonNullable<JobSpec["schedule"]>,
  nowMs: number,
  nextTick: NextTick,
): readonly Fault[] {
  try {
    return nextTick(schedule, nowMs) === undefined
      ? [invalid(where, `schedule '${schedule.cron}' never fires: there is no such date`)]
      : [];
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    const fault = invalid(where, error.message);
    return [error.wayOut === undefined ? fault : { ...fault, wayOut: error.wayOut }];
  }
}

/** The first circle found, from a job back to itself. */
function circleIn(known: ReadonlyMap<string, ServiceSpec>, names: readonly string[]): readonly string[] | undefined {
  const cleared = new Set<string>();
  const walk = (name: string, path: readonly string[]): readonly string[] | undefined => {
    const at = path.indexOf(name);
    if (at !== -1) return [...path.slice(at), name];
    if (cleared.has(name)) return undefined;
    for (const next of known.get(name)?.job?.after ?? []) {
      const circle = walk(next, [...path, name]);
      if (circle !== undefined) return circle;
    }
    cleared.add(name);
    return undefined;
  };
  for (const name of names) {
    const circle = walk(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
