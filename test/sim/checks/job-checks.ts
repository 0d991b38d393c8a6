// S16: a tick of a schedule runs at most once, and none is passed over in silence; a run begins only for a reason that is there, never of a
// suspended job, and never beside another that it may not run beside. A run has succeeded only if each of its containers truly ended well.

import type { JobRun, JobSpec, JobState, RunCause } from "../../../src/core/model/job.ts";
import type { Change, Service, ServiceVersion, Task } from "../../../src/core/model/records.ts";
import { type State, versionKey } from "../../../src/core/model/world.ts";
import type { Commit } from "../../../src/ports/store.ts";
import { nextTick } from "../fakes/calendar.ts";
import type { Box } from "../fakes/machine-engine.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Coordinating } from "../world/coordinator-machine.ts";
import type { Host } from "../world/host.ts";
import { Bystander } from "../world/universe.ts";
import type { Findings } from "./violation.ts";

/** Of ticks between two answered ones more are not counted. */
const MAX_COUNTED = 5_000;
/** A loop that was woken at the tick's time has committed its run by then, on a disk that is not slow. */
const LATE_MS = 3_000;

/** What is known of one job beside its records. */
type Known = {
  /** Ticks that were answered by a run or a skip, of the schedule they belong to. */
  answered: { readonly scheduleKey: string; readonly lastMs: number } | undefined;
  /** The newest success of each run number, from the runs themselves. */
  succeeded: number;
  /** Successes of others that its runs after them have used up. */
  readonly used: Map<string, number>;
  requested: number;
};

export class JobChecks extends Bystander {
  readonly #findings: Findings;
  readonly #cluster: Cluster;
  readonly #services = new Map<string, Service>();
  readonly #versions = new Map<string, ServiceVersion>();
  readonly #runs = new Map<string, JobRun>();
  readonly #jobs = new Map<string, JobState>();
  readonly #tasks = new Map<string, Task>();
  readonly #known = new Map<string, Known>();
  /** Tasks of which a container truly ended with 0. */
  readonly #done = new Set<string>();

  constructor(findings: Findings, cluster: Cluster) {
    super();
    this.#findings = findings;
    this.#cluster = cluster;
  }

  override ended(_host: Host, box: Box): void {
    if (box.exitCode === 0) this.#done.add(box.labels["davit.task"] ?? "");
  }

  override durable({ machine }: Coordinating, commit: Commit): void {
    if (machine !== this.#cluster.machine) return;
    for (const change of commit.changes) {
      if (change.op === "put" && change.kind === "run") this.#run(change.record);
      if (change.op === "put" && change.kind === "job") this.#job(change.record);
      this.#apply(change);
    }
    for (const change of commit.changes)
      if (change.op === "put" && change.kind === "run") this.#overlaps(change.record);
  }

  #apply(change: Change): void {
    if (change.op === "delete") {
      if (change.kind === "service") {
        this.#services.delete(change.id);
        this.#known.delete(change.id);
      } else if (change.kind === "run") this.#runs.delete(change.id);
      else if (change.kind === "job") this.#jobs.delete(change.id);
      else if (change.kind === "task") this.#tasks.delete(change.id);
      else if (change.kind === "serviceVersion") this.#versions.delete(change.id);
    } else if (change.kind === "service") this.#services.set(change.record.id, change.record);
    else if (change.kind === "serviceVersion") this.#versions.set(change.record.id, change.record);
    else if (change.kind === "run") this.#runs.set(change.record.id, change.record);
    else if (change.kind === "job") this.#jobs.set(change.record.id, change.record);
    else if (change.kind === "task" && change.record.run !== undefined)
      this.#tasks.set(change.record.id, change.record);
  }

  #knownOf(id: string): Known {
    const known = this.#known.get(id) ?? { answered: undefined, succeeded: 0, used: new Map(), requested: 0 };
    this.#known.set(id, known);
    return known;
  }

  #specOf(service: Service): JobSpec | undefined {
    return this.#versions.get(versionKey(service.id, service.version))?.spec.job;
  }

  #run(run: JobRun): void {
    const before = this.#runs.get(run.id);
    const service = this.#services.get(run.serviceId);
    if (service === undefined) return;
    if (before === undefined) this.#begins(service, run);
    else
      this.#findings.check(
        "S6",
        before.state === "running" || before.state === run.state,
        () => `run ${run.number} of ${service.name} was ${before.state} and is ${run.state}`,
      );
    if (run.state === "succeeded" && before?.state !== "succeeded") this.#succeeds(service, run);
  }

  #begins(service: Service, run: JobRun): void {
    const spec = this.#specOf(service);
    const name = `run ${run.number} of ${service.name}`;
    const isByItself = run.cause === "scheduled" || run.cause === "after";
    this.#findings.check(
      "S16",
      !isByItself || service.job?.suspended !== true,
      () => `${name} begins, and it is suspended`,
    );
    const kept = [...this.#runs.values()].filter((one) => one.serviceId === service.id);
    this.#findings.check(
      "S16",
      kept.every((one) => one.number < run.number),
      () => `${name} comes after a later one`,
    );
    if (spec === undefined) return;
    this.#check[run.cause](service, spec, run, name);
    if (run.state === "skipped") this.#mayBeSkipped(service, spec, run, name);
  }

  readonly #check: Readonly<Record<RunCause, (service: Service, spec: JobSpec, run: JobRun, name: string) => void>> = {
    deployed: () => {},
    requested: (service, _spec, _run, name) => {
      const known = this.#knownOf(service.id);
      known.requested += 1;
      const asked = service.job?.requested ?? 0;
      this.#findings.check("S16", known.requested <= asked, () => `${name} was asked for ${asked} times in all`);
    },
    after: (service, spec, _run, name) => this.#follows(service, spec, name),
    scheduled: (service, spec, run, name) => this.#answersTick(service, spec, run, name),
  };

  #follows(service: Service, spec: JobSpec, name: string): void {
    const known = this.#knownOf(service.id);
    for (const other of spec.after) {
      const before = [...this.#services.values()].find((one) => one.name === other);
      if (before === undefined) continue;
      const { succeeded } = this.#knownOf(before.id);
      const used = known.used.get(before.id) ?? 0;
      this.#findings.check("S16", succeeded > used, () => `${name} follows ${other}, which has not succeeded since`);
      known.used.set(before.id, succeeded);
    }
  }

  #answersTick(service: Service, spec: JobSpec, run: JobRun, name: string): void {
    const { schedule } = spec;
    const { tickAtMs } = run;
    if (schedule === undefined || tickAtMs === undefined)
      return this.#findings.report("S16", `${name} is scheduled, and there is no schedule`);
    this.#findings.check(
      "S16",
      nextTick(schedule, tickAtMs - 1) === tickAtMs,
      () => `${name} is for no tick of ${schedule.cron}`,
    );
    const scheduleKey = `${schedule.cron} ${schedule.timezone}`;
    const known = this.#knownOf(service.id);
    const job = this.#jobs.get(service.id);
    const { answered } = known;
    if (answered !== undefined)
      this.#findings.check("S16", tickAtMs > answered.lastMs, () => `${name} is for a tick that was answered before`);
    // which tick is next was written down: what lies between it and this one must be told
    const dueMs = job?.scheduleKey === scheduleKey ? job.nextTickAtMs : undefined;
    if (dueMs !== undefined) {
      let passed = 0;
      for (let atMs = dueMs; atMs < tickAtMs && passed < MAX_COUNTED; atMs = nextTick(schedule, atMs) ?? tickAtMs)
        passed += 1;
      this.#findings.check(
        "S16",
        passed === (run.missed ?? 0) || passed === MAX_COUNTED,
        () => `${name} stands for ${run.missed ?? 0} missed ticks, and ${passed} were missed`,
      );
    }
    known.answered = { scheduleKey, lastMs: tickAtMs };
  }

  /** The next tick is the one after the last answered: none is left out when the date moves on. */
  #job(job: JobState): void {
    const service = this.#services.get(job.id);
    const before = this.#jobs.get(job.id);
    const schedule = service === undefined ? undefined : this.#specOf(service)?.schedule;
    if (service === undefined || before === undefined || schedule === undefined) return;
    if (before.scheduleKey !== job.scheduleKey || before.nextTickAtMs === job.nextTickAtMs) return;
    if (before.nextTickAtMs === undefined) return;
    const answeredMs = this.#known.get(job.id)?.answered?.lastMs ?? 0;
    this.#findings.check(
      "S16",
      answeredMs >= before.nextTickAtMs,
      () => `${service.name} passes over the tick of ${before.nextTickAtMs}, which nothing answered`,
    );
    const nowMs = this.#cluster.machine.clock.nowMs();
    const wanted = nextTick(schedule, Math.max(answeredMs, before.nextTickAtMs));
    this.#findings.check(
      "S16",
      job.nextTickAtMs === wanted || (wanted !== undefined && wanted <= nowMs),
      () => `${service.name} moves on to ${job.nextTickAtMs}, and ${wanted} is the tick after the last`,
    );
  }

  #mayBeSkipped(service: Service, spec: JobSpec, run: JobRun, name: string): void {
    const isLate = run.tickAtMs !== undefined && run.createdAtMs - run.tickAtMs > spec.startingDeadlineMs;
    const isBusy = [...this.#runs.values()].some((one) => one.serviceId === service.id && one.state === "running");
    this.#findings.check(
      "S16",
      isLate || (isBusy && spec.overlap === "forbid"),
      () => `${name} is skipped in time and without another in its way: ${run.message}`,
    );
  }

  #overlaps(run: JobRun): void {
    const service = this.#services.get(run.serviceId);
    const spec = service === undefined ? undefined : this.#specOf(service);
    if (service === undefined || spec === undefined || run.state !== "running" || spec.overlap === "allow") return;
    const active = [...this.#runs.values()].filter((one) => one.serviceId === run.serviceId && one.state === "running");
    const isNewest = active.every((one) => one.number <= run.number);
    this.#findings.check(
      "S16",
      !isNewest || active.length <= 1,
      () => `runs ${active.map((one) => one.number).join(" and ")} of ${service.name} are under way at once`,
    );
  }

  #succeeds(service: Service, run: JobRun): void {
    const known = this.#knownOf(service.id);
    known.succeeded = Math.max(known.succeeded, run.number);
    const mode = this.#versions.get(versionKey(service.id, run.specVersion))?.spec.mode;
    const tasks = [...this.#tasks.values()].filter((task) => task.serviceId === service.id && task.run === run.number);
    const done = new Set(tasks.filter((task) => this.#done.has(task.id)).map((task) => task.onlyNode ?? task.slot));
    const wanted = mode?.kind === "replicated-job" ? mode.completions : undefined;
    if (wanted !== undefined)
      this.#findings.check(
        "S16",
        done.size >= wanted,
        () => `run ${run.number} of ${service.name} has succeeded with ${done.size} of ${wanted} completions`,
      );
  }
}

/** Jobs that a coordinator which is well should have begun by now, with how many runs they have. */
export function overdueJobs({ state, running }: Cluster): ReadonlyMap<string, string> {
  const overdue = new Map<string, string>();
  if (running === undefined) return overdue;
  const nowMs = running.clock.nowMs();
  for (const service of state.service.values()) {
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec.job;
    const job = state.job.get(service.id);
    if (spec === undefined || service.job?.suspended === true) continue;
    const key = `${service.id}/${job?.runs ?? 0}`;
    if (spec.schedule !== undefined) {
      const dueMs = job?.nextTickAtMs;
      if (dueMs === undefined || dueMs < nowMs - LATE_MS)
        overdue.set(
          key,
          `${service.name} should have run ${dueMs === undefined ? "by its schedule" : `${nowMs - dueMs} ms ago`}`,
        );
    } else if (isToFollow(state, service, spec, job))
      overdue.set(key, `${service.name} should follow ${spec.after.join(" and ")}`);
  }
  return overdue;
}

/** By the runs' own records, not by what the plan noted of them. */
function isToFollow(state: State, service: Service, spec: JobSpec, job: JobState | undefined): boolean {
  if (spec.after.length === 0 || job === undefined) return false;
  const runs = [...state.run.values()];
  if (runs.some((run) => run.serviceId === service.id && run.state === "running")) return false;
  const before = spec.after.flatMap((name) => [...state.service.values()].find((one) => one.name === name) ?? []);
  if (before.length === 0) return false;
  return before.every(({ id }) =>
    runs.some((run) => run.serviceId === id && run.state === "succeeded" && run.number > (job.followed[id] ?? 0)),
  );
}
