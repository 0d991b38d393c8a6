// When a job's next run begins: asked for by a user, by a deploy, by its schedule, or by the success of the jobs before it. What is answered
// is written down in the same commit as the run, so that nothing is answered twice. Pure.

import type { JobRun, JobState, RunCause } from "../model/job.ts";
import { heldBack } from "../reconcile/dependencies.ts";
import { eligibleNodes } from "../reconcile/eligible.ts";
import { type JobContext, madeFor, makeRun, serviceNamed } from "./job-context.ts";
import { finish } from "./run.ts";

/** A schedule of every second, and a night without a coordinator: no more ticks than these are looked at one by one. */
const MAX_MISSED = 100_000;

/** Begins at most one run a pass; the next pass sees it. */
export function planStarts(context: JobContext): void {
  const { planning, service, spec, job } = context;
  const asked = service.job ?? { suspended: false, requested: 0 };
  if (asked.requested > job.requested) return start(context, "requested", { requested: asked.requested });
  const scheduleKey = keyOf(context, asked.suspended);
  if (scheduleKey !== job.scheduleKey)
    return void planning.steps.push({ kind: "job", job: rescheduled(context, scheduleKey) });
  if (asked.suspended) return;
  if (spec.schedule !== undefined) return planTick(context);
  if (spec.after.length > 0) return planAfter(context);
  const made = madeFor(context.service, context.version);
  if (made === job.made || heldBack(planning.world, service, context.version, context.tasks) !== undefined) return;
  start(context, "deployed", { made });
}

function keyOf({ spec }: JobContext, suspended: boolean): string {
  const { schedule } = spec;
  if (schedule === undefined) return `after ${spec.after.join(" ")}`.trim();
  return suspended ? "suspended" : `${schedule.cron} ${schedule.timezone}`;
}

/** A new schedule, or one that goes on after it was suspended, counts from now: ticks that passed are not run. */
function rescheduled(context: JobContext, scheduleKey: string): JobState {
  const { job, planning, spec, nextTick } = context;
  const { nextTickAtMs: _, ...rest } = job;
  if (spec.schedule === undefined || scheduleKey === "suspended") return { ...rest, scheduleKey };
  const next = nextTick(spec.schedule, planning.nowMs);
  return { ...rest, scheduleKey, ...(next === undefined ? {} : { nextTickAtMs: next }) };
}

function planTick(context: JobContext): void {
  const { planning, spec, job, runs, nextTick } = context;
  const { schedule } = spec;
  if (schedule === undefined || job.nextTickAtMs === undefined || !planning.isDue(job.nextTickAtMs)) return;
  let tickAtMs = job.nextTickAtMs;
  let missed = 0;
  let next = nextTick(schedule, tickAtMs);
  for (; next !== undefined && next <= planning.nowMs && missed < MAX_MISSED; next = nextTick(schedule, tickAtMs)) {
    tickAtMs = next;
    missed += 1;
  }
  if (next !== undefined && next <= planning.nowMs) next = nextTick(schedule, planning.nowMs);
  const { nextTickAtMs: _, ...rest } = job;
  const answered: JobContext = { ...context, job: { ...rest, ...(next === undefined ? {} : { nextTickAtMs: next }) } };
  const tick = { tickAtMs, ...(missed === 0 ? {} : { missed }) };
  const lateMs = planning.nowMs - tickAtMs;
  if (lateMs > spec.startingDeadlineMs)
    return skip(
      answered,
      tick,
      `it was ${Math.round(lateMs / 1_000)} s late, and may be ${spec.startingDeadlineMs / 1_000} s`,
    );
  const active = runs.find(({ state }) => state === "running");
  if (active !== undefined && spec.overlap === "forbid")
    return skip(answered, tick, `run ${active.number} was still under way`);
  start(answered, "scheduled", {}, tick);
}

function skip(context: JobContext, tick: Partial<JobRun>, why: string): void {
  makeRun(
    context,
    { cause: "scheduled", state: "skipped", message: why, endedAtMs: context.planning.nowMs, ...tick },
    {},
  );
}

/** All jobs before it succeeded since this one followed them last. A job that is gone holds the others up no longer. */
function planAfter(context: JobContext): void {
  const { planning, spec, job, runs } = context;
  const before = spec.after.flatMap((name) => serviceNamed(planning.world, name) ?? []);
  if (before.length === 0) return;
  const successes = before.map(({ id }) => [id, planning.world.state.job.get(id)?.succeeded ?? 0] as const);
  if (!successes.every(([id, succeeded]) => succeeded > (job.followed[id] ?? 0))) return;
  // what it follows is not used up by a run that may not begin now
  if (spec.overlap === "forbid" && runs.some(({ state }) => state === "running")) return;
  start(context, "after", { followed: { ...job.followed, ...Object.fromEntries(successes) } });
}

function start(context: JobContext, cause: RunCause, changes: Partial<JobState>, tick: Partial<JobRun> = {}): void {
  const { planning, service, version, spec, runs, job } = context;
  const number = job.runs + 1;
  const active = runs.filter(({ state }) => state === "running");
  // a deploy asks for what is new: what is older makes way, unless both may be
  const makesWay = spec.overlap === "replace" || (cause === "deployed" && spec.overlap === "forbid");
  if (makesWay) for (const run of active) finish(context, run, "cancelled", `run ${number} takes its place`);
  if (!makesWay && active.length > 0 && spec.overlap === "forbid") {
    const [first] = active;
    makeRun(
      context,
      {
        cause,
        state: "skipped",
        message: `run ${first?.number} was still under way`,
        endedAtMs: planning.nowMs,
        ...tick,
      },
      changes,
    );
    return;
  }
  const nodeIds = version.spec.mode.kind === "global-job" ? eligibleNodes(planning.world, version, []) : undefined;
  if (nodeIds?.length === 0) {
    const message = `no node that ${service.name} is for can be reached`;
    makeRun(context, { cause, state: "failed", message, endedAtMs: planning.nowMs, ...tick }, changes);
    return;
  }
  makeRun(
    context,
    { cause, state: "running", message: "", ...tick, ...(nodeIds === undefined ? {} : { nodeIds }) },
    changes,
  );
}
