// x-davit.schedule, x-davit.after and x-davit.job: what makes a service a job that runs by a calendar or after others, and how its runs are
// to be. With one of them, or with deploy.mode replicated-job or global-job, a service is a job.

import { DavitError } from "../../core/model/errors.ts";
import { type JobSchedule, type JobSpec, MAX_KEPT_RUNS, type NextTick } from "../../core/model/job.ts";
import type { RestartPolicy, ServiceMode } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, type Place } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const PATTERN = "services.*.x-davit";
const COUNT = { min: 1, max: 10_000, whole: true } as const;
const KEPT = { min: 1, max: MAX_KEPT_RUNS, whole: true } as const;

/** A run that begins an hour late is still that night's. */
const DEFAULT_STARTING_DEADLINE_MS = 3_600_000;
const DEFAULT_KEPT_RUNS = 10;
const DEFAULT_TIMEZONE = "UTC";
/** A job that nothing else is said of: what failed six times will not succeed. */
export const JOB_RESTART: RestartPolicy = { condition: "on-failure", delayMs: 1_000, maxAttempts: 5, windowMs: 0 };

export type JobKeys = {
  readonly schedule: ComposeNode | undefined;
  readonly after: ComposeNode | undefined;
  readonly job: MapNode | undefined;
};

/** The keys of a service that make it a job. */
export function jobKeys(reader: Reader, extension: MapNode | undefined, path: string): JobKeys {
  return {
    schedule: get(extension, "schedule"),
    after: get(extension, "after"),
    job: reader.section(get(extension, "job"), `${path}.x-davit.job`, `${PATTERN}.job`),
  };
}

/** Whether one of them is there. */
export function asksForJob({ schedule, after, job }: JobKeys): boolean {
  return schedule !== undefined || after !== undefined || job !== undefined;
}

/** The mode of a job of which `replicas` was said. */
export function readJobMode(reader: Reader, { job }: JobKeys, replicas: number | undefined, path: string): ServiceMode {
  const completions = reader.number(get(job, "completions"), `${path}.x-davit.job.completions`, COUNT);
  if (completions === undefined) return { kind: "replicated-job", completions: replicas ?? 1, concurrency: 0 };
  return { kind: "replicated-job", completions, concurrency: Math.min(replicas ?? 1, completions) };
}

export type JobReading = {
  readonly reader: Reader;
  readonly nextTick: NextTick;
  /** Full name of a service of the file; another name stands for itself. */
  readonly serviceName: (key: string) => string;
};

/** What a job's runs are to be. */
export function readJob(context: JobReading, keys: JobKeys, path: string): JobSpec {
  const { reader, serviceName } = context;
  const where = `${path}.x-davit`;
  const { job } = keys;
  const schedule = keys.schedule === undefined ? undefined : readSchedule(context, keys.schedule, `${where}.schedule`);
  if (schedule !== undefined && keys.after !== undefined)
    reader.problem(
      keys.after.at,
      `${where}.after`,
      "does not go with a schedule: a job runs by the one or after others",
    );
  return {
    after: reader.texts(keys.after, `${where}.after`).map(serviceName).toSorted(),
    overlap: reader.word(get(job, "overlap"), `${where}.job.overlap`, ["forbid", "allow", "replace"]) ?? "forbid",
    startingDeadlineMs:
      reader.duration(get(job, "starting_deadline"), `${where}.job.starting_deadline`) ?? DEFAULT_STARTING_DEADLINE_MS,
    timeoutMs: reader.duration(get(job, "timeout"), `${where}.job.timeout`) ?? 0,
    keptRuns: reader.number(get(job, "history"), `${where}.job.history`, KEPT) ?? DEFAULT_KEPT_RUNS,
    ...(schedule === undefined ? {} : { schedule }),
  };
}

/** "0 3 * * *", or {cron, timezone}. */
function readSchedule(context: JobReading, node: ComposeNode, path: string): JobSchedule | undefined {
  const { reader } = context;
  const map = node.kind === "map" ? reader.section(node, path, `${PATTERN}.schedule`) : undefined;
  const cronNode = map === undefined ? node : get(map, "cron");
  if (cronNode === undefined) return reader.problem(node.at, path, 'lacks cron, such as "0 3 * * *"');
  const cron = reader.text(cronNode, map === undefined ? path : `${path}.cron`)?.trim();
  const timezone = reader.text(get(map, "timezone"), `${path}.timezone`) ?? DEFAULT_TIMEZONE;
  if (cron === undefined) return undefined;
  checkFires(context, cronNode.at, path, { cron, timezone });
  return { cron, timezone };
}

function checkFires({ reader, nextTick }: JobReading, at: Place, path: string, schedule: JobSchedule): void {
  try {
    if (nextTick(schedule, 0) === undefined)
      reader.problem(at, path, `'${schedule.cron}' never fires: there is no such date`);
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    reader.problem(at, path, `${error.message}${error.wayOut === undefined ? "" : `: ${error.wayOut}`}`);
  }
}
