// Random jobs: by cron in several time zones, one after the other, at each deploy; programs that end well, badly, now and then, or not at all.

import type { JobSchedule, JobSpec } from "../../../src/core/model/job.ts";
import type { ServiceMode, ServiceSpec } from "../../../src/core/model/service-spec.ts";
import { template, UPDATE } from "../../fakes/world-model.ts";
import type { Program } from "../fakes/machine-engine.ts";
import type { Chance } from "../kernel/chance.ts";

export type Errand = "works" | "flaky" | "fails" | "hangs";
const ERRANDS: readonly Errand[] = ["works", "works", "works", "works", "flaky", "fails", "hangs"];
/** An errand that works is over by then, once it runs. */
const LONGEST_ERRAND_MS = 12_000;

/** Whether the program in a job's image ends well each time, by its name. */
export function isErrandDone(image: string): boolean {
  return image.startsWith("works:");
}

/** An errand at random, and what its program does. */
export function drawErrand(chance: Chance): { readonly errand: Errand; readonly program: Program } {
  const errand = chance.pick(ERRANDS) ?? "works";
  const pullMs = chance.between(200, 8_000);
  const afterMs = chance.between(200, LONGEST_ERRAND_MS / 6);
  switch (errand) {
    case "works":
      return { errand, program: { pullMs, readyMs: 0, ends: { afterMs, exitCode: 0, atMostMs: LONGEST_ERRAND_MS } } };
    case "flaky":
      return { errand, program: { pullMs, readyMs: 0, ends: { afterMs, exitCode: 0, failureRatio: 0.5 } } };
    case "fails":
      return { errand, program: { pullMs, readyMs: 0, ends: { afterMs, exitCode: 3 } } };
    case "hangs":
      return { errand, program: { pullMs, readyMs: 0 } };
  }
}

/** A job of a stack. `others`: full names of the jobs that it may follow. */
export function drawJob(
  chance: Chance,
  stack: string,
  name: string,
  image: string,
  others: readonly string[],
): ServiceSpec {
  const completions = chance.one(1, 1, 1, 2, 4);
  const mode: ServiceMode = chance.happens(0.25)
    ? { kind: "global-job" }
    : { kind: "replicated-job", completions, concurrency: chance.one(0, Math.min(2, completions)) };
  const base = template({ image });
  return {
    name: `${stack}_${name}`,
    stack,
    labels: {},
    mode,
    job: drawSpec(chance, image, others),
    template: {
      ...base,
      container: { ...base.container, stopGraceMs: 1_000 },
      resources: {
        ...base.resources,
        reservations: { cpus: chance.one(0, 0, 0.25), memoryBytes: 0, generic: {} },
      },
      restart: {
        condition: chance.one("on-failure", "on-failure", "any", "none"),
        delayMs: chance.one(0, 1_000),
        maxAttempts: chance.one(0, 1, 3),
        windowMs: 0,
      },
    },
    update: UPDATE,
    rollback: UPDATE,
  };
}

function drawSpec(chance: Chance, image: string, others: readonly string[]): JobSpec {
  const dice = chance.fraction();
  const follows = others.length > 0 && dice < 0.35;
  const isHanging = image.startsWith("hangs");
  return {
    ...(!follows && dice < 0.85 ? { schedule: drawSchedule(chance) } : {}),
    after: follows
      ? others
          .filter(() => chance.happens(0.7))
          .concat(others.slice(0, 1))
          .filter(isFirst)
      : [],
    overlap: chance.one("forbid", "allow", "replace"),
    startingDeadlineMs: chance.one(10_000, 60_000, 3_600_000),
    // what never ends by itself, and may run beside itself, would fill every node
    timeoutMs: isHanging ? chance.one(10_000, 30_000) : chance.one(0, 60_000),
    keptRuns: chance.one(1, 3, 10),
  };
}

function isFirst(name: string, at: number, names: readonly string[]): boolean {
  return names.indexOf(name) === at;
}

export function drawSchedule(chance: Chance): JobSchedule {
  return {
    cron: chance.one("*/20 * * * * *", "5,50 * * * * *", "* * * * *", "*/2 * * * *"),
    timezone: chance.one("UTC", "Europe/Berlin", "Asia/Kolkata"),
  };
}
