// When a job's next run begins: asked for by a user, by a deploy, by its schedule, or by the success of the jobs before it. What is answered
// is written down in the same commit as the run, so that nothing is answered twice. Pure.

import {
  type JobRun,
  type JobSchedule,
  type JobState,
  MAX_MISSED_COUNT,
  type NextTick,
  type RunCause,
} from "../model/job.ts";
import { eligibleNodes } from "../reconcile/eligible.ts";
import { type JobContext, madeFor, makeRun, successesBefore } from "./job-context.ts";
import { finish } from "./run.ts";

/** Ticks are whole seconds. */
const TICK_MS = 1_000;
/** Of a job that may run beside itself: what never ends would otherwise fill the nodes. */
const MAX_ACTIVE_RUNS = 50;

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
  if (made === job.made || planning.heldBack(context) !== undefined) return;
  start(context, "deployed", { made });
}

function keyOf({ spec }: JobContext, suspended: boolean): string {
  const { schedule } = spec;
  if (suspended) return "suspended";
  return schedule === undefined ? `after ${spec.after.join(" ")}`.trim() : `${schedule.cron} ${schedule.timezone}`;
}

/** What was answered within a day from now was, before the clock was set back. Later than that it was the clock that was wrong. */
const SET_BACK_MS = 86_400_000;

/** A new schedule, or one that goes on after it was suspended, counts from now: ticks and successes that passed are not followed. */
function rescheduled(context: JobContext, scheduleKey: string): JobState {
  const { job, planning, runs, spec, nextTick } = context;
  const { nextTickAtMs: _, ...rest } = job;
  if (scheduleKey === "suspended") return { ...rest, scheduleKey };
  if (spec.schedule === undefined) return { ...rest, scheduleKey, followed: followedFromNow(context) };
  const answered = runs
    .map(({ tickAtMs = 0 }) => tickAtMs)
    .filter((tickAtMs) => tickAtMs <= planning.nowMs + SET_BACK_MS);
  const next = nextTick(spec.schedule, Math.max(planning.nowMs, ...answered));
  return { ...rest, scheduleKey, ...(next === undefined ? {} : { nextTickAtMs: next }) };
}

/** Jobs that were followed already are followed on; of others, what succeeded before is no news; of all, after a suspension. */
function followedFromNow({ planning, spec, job }: JobContext): JobState["followed"] {
  const known = job.scheduleKey === "suspended" ? {} : job.followed;
  return { ...successesBefore(planning, spec.after), ...known };
}

function planTick(context: JobContext): void {
  const { planning, spec, job, runs, nextTick } = context;
  const { schedule } = spec;
  if (schedule === undefined || job.nextTickAtMs === undefined || !planning.isDue(job.nextTickAtMs)) return;
  const { tickAtMs, missed } = newestTick(nextTick, schedule, job.nextTickAtMs, planning.nowMs);
  const next = nextTick(schedule, planning.nowMs);
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

/** The last tick that has passed, and how many have since `first`, as far as they are counted. */
function newestTick(
  nextTick: NextTick,
  schedule: JobSchedule,
  first: number,
  nowMs: number,
): { readonly tickAtMs: number; readonly missed: number } {
  let tickAtMs = first;
  for (let missed = 0; missed < MAX_MISSED_COUNT; missed++) {
    const next = nextTick(schedule, tickAtMs);
    if (next === undefined || next > nowMs) return { tickAtMs, missed };
    tickAtMs = next;
  }
  // the last moment after which there still is a tick by now, found by halves
  let [from, to] = [tickAtMs, nowMs];
  while (to - from > TICK_MS) {
    const middle = Math.floor((from + to) / 2);
    const next = nextTick(schedule, middle);
    if (next === undefined || next > nowMs) to = middle;
    else [from, tickAtMs] = [middle, next];
  }
  return { tickAtMs, missed: MAX_MISSED_COUNT };
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
  const successes = successesBefore(planning, spec.after);
  const before = Object.entries(successes);
  if (before.length === 0 || !before.every(([id, succeeded]) => succeeded > (job.followed[id] ?? 0))) return;
  // what it follows is not used up by a run that may not begin now
  if (spec.overlap === "forbid" && runs.some(({ state }) => state === "running")) return;
  start(context, "after", { followed: successes });
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
  if (!makesWay && active.length >= MAX_ACTIVE_RUNS) {
    const message = `${active.length} runs were still under way, more than may be at once`;
    makeRun(context, { cause, state: "skipped", message, endedAtMs: planning.nowMs, ...tick }, changes);
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
