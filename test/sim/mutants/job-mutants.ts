// Known bugs of jobs: what others' schedulers did to ticks, overlaps, dependent jobs and histories.

import type { Mutant } from "./mutant.ts";

const COORDINATOR_AWAY = [
  "coordinator killed",
  "coordinator loses power",
  "coordinator killed after a commit",
] as const;

/** The third of a stack follows both others now and then. */
const JOBS = 3;

export const JOB_MUTANTS: readonly Mutant[] = [
  {
    name: "the next tick is not written down with the run",
    file: "src/core/jobs/starts.ts",
    find: 'start(answered, "scheduled", {}, tick);',
    replace: 'start(context, "scheduled", {}, tick);',
    jobs: JOBS,
  },
  {
    name: "ticks that were missed are dropped",
    file: "src/core/jobs/starts.ts",
    find: "const lateMs = planning.nowMs - tickAtMs;",
    replace:
      'const lateMs = planning.nowMs - tickAtMs;\n  if (missed > 0) return void planning.steps.push({ kind: "job", job: answered.job });',
    faults: COORDINATOR_AWAY,
    jobs: JOBS,
  },
  {
    name: "missed ticks are run without saying how many they are",
    file: "src/core/jobs/starts.ts",
    find: "const tick = { tickAtMs, ...(missed === 0 ? {} : { missed }) };",
    replace: "const tick = { tickAtMs };",
    faults: COORDINATOR_AWAY,
    jobs: JOBS,
  },
  {
    name: "the starting deadline is not looked at",
    file: "src/core/jobs/starts.ts",
    find: "if (lateMs > spec.startingDeadlineMs)",
    replace: "if (lateMs > -1 && spec.startingDeadlineMs < 20_000)",
    jobs: JOBS,
  },
  {
    name: "a suspended job follows others",
    file: "src/core/jobs/starts.ts",
    find: "if (asked.suspended) return;",
    replace: "",
    jobs: JOBS,
  },
  {
    name: "a run that replaces another leaves it running",
    file: "src/core/jobs/starts.ts",
    find: "if (makesWay) for (const run of active) finish(",
    replace: "if (makesWay) for (const run of active.slice(1)) finish(",
    jobs: JOBS,
  },
  {
    name: "a request is answered over and over",
    file: "src/core/jobs/starts.ts",
    find: 'return start(context, "requested", { requested: asked.requested });',
    replace: 'return start(context, "requested", {});',
    jobs: JOBS,
  },
  {
    name: "what a run followed is followed again",
    file: "src/core/jobs/starts.ts",
    find: 'start(context, "after", { followed: successes });',
    replace: 'start(context, "after", {});',
    jobs: JOBS,
  },
  {
    name: "a failed run is followed like one that succeeded",
    file: "src/core/jobs/run.ts",
    find: 'if (state === "succeeded") {',
    replace: 'if (state === "succeeded" || state === "failed") {',
    jobs: JOBS,
  },
  {
    name: "one of two jobs before it is enough",
    file: "src/core/jobs/starts.ts",
    find: "!before.every(",
    replace: "!before.some(",
    jobs: JOBS,
  },
  {
    name: "a run succeeds with one completion too few",
    file: "src/core/jobs/run.ts",
    find: "return Array.from({ length: mode.completions }, (_, at) => ({",
    replace: "return Array.from({ length: Math.max(1, mode.completions - 1) }, (_, at) => ({",
    jobs: JOBS,
  },
  {
    name: "a task that is done is made again",
    file: "workers/agent/plan/restart.ts",
    find: "if (ended.succeeded && (ended.isJob || ",
    replace: "if (ended.succeeded && (",
    jobs: JOBS,
  },
  {
    name: "a run never times out",
    file: "src/core/jobs/run.ts",
    find: "if (timeoutMs > 0 && planning.isDue(",
    replace: "if (timeoutMs > 1_000_000 && planning.isDue(",
    jobs: JOBS,
  },
  {
    name: "runs are kept for ever",
    file: "src/core/jobs/plan-job.ts",
    find: "list.slice(0, Math.max(0, list.length - spec.keptRuns))",
    replace: "list.slice(0, Math.max(0, list.length - spec.keptRuns - 50))",
    jobs: JOBS,
  },
];
