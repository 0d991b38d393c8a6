// Jobs of a world in memory: what every test of their plan begins with.

import { expect } from "vitest";
import type { JobRun, JobSpec } from "../../../src/core/model/job.ts";
import type { Task } from "../../../src/core/model/records.ts";
import type { ServiceMode } from "../../../src/core/model/service-spec.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

export const MINUTE_MS = 60_000;
export const ONCE: ServiceMode = { kind: "replicated-job", completions: 1, concurrency: 0 };
export const EACH_MINUTE: Partial<JobSpec> = { schedule: { cron: "* * * * *", timezone: "UTC" } };

export class Jobs extends WorldModel {
  constructor(nodes = 3) {
    super();
    for (let number = 1; number <= nodes; number++) this.node(`n${number}`);
    // half a minute past: the next tick of every minute is thirty seconds away
    this.nowMs = Date.UTC(2026, 0, 5, 10, 0, 30);
  }

  job(name: string, changes: Partial<JobSpec> = {}, mode: ServiceMode = ONCE, image = "web:v1"): void {
    this.deploy(name, mode, template({ image }), {}, changes);
    this.rest();
  }

  runs(name: string): readonly JobRun[] {
    return [...this.state.run.values()].filter((run) => run.serviceId === name).sort((a, b) => a.number - b.number);
  }

  states(name: string): readonly string[] {
    return this.runs(name).map((run) => `${run.number} ${run.state}`);
  }

  /** A task's container ends: well, or for good. */
  end(task: Task | undefined, isFine = true): void {
    if (task === undefined) return expect.fail("there is no such task");
    const how = isFine ? ({ state: "complete", exitCode: 0 } as const) : ({ state: "failed", exitCode: 3 } as const);
    this.status(task.id, { ...how, exhausted: true, reason: isFine ? "" : "exit code 3", startedAtMs: this.nowMs });
    this.rest();
  }

  /** Every task that is to run ends well. */
  endAll(name: string): void {
    for (const task of this.live(name)) this.end(task);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.rest();
  }

  ask(name: string): void {
    const service = this.state.service.get(name);
    if (service?.job === undefined) return expect.fail("no such job");
    this.state.service.set(name, { ...service, job: { ...service.job, requested: service.job.requested + 1 } });
    this.rest();
  }

  suspend(name: string, suspended: boolean): void {
    const service = this.state.service.get(name);
    if (service?.job === undefined) return expect.fail("no such job");
    this.state.service.set(name, { ...service, job: { ...service.job, suspended } });
    this.rest();
  }
}
