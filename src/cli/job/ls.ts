// davit job ls [--graph]

import { buildCommand } from "@stricli/core";
import type { JobView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { cut, renderTable } from "../render/table.ts";
import { ago } from "../render/units.ts";

type Flags = { readonly stack?: string; readonly graph: boolean; readonly json: boolean };

export const jobLs = buildCommand<Flags, [], CliContext>({
  docs: { brief: "list the jobs: when they run, and how their last run ended" },
  parameters: {
    flags: {
      stack: { kind: "parsed", parse: String, optional: true, brief: "only those of a stack", placeholder: "NAME" },
      graph: { kind: "boolean", brief: "show which jobs run after which", default: false },
      json: JSON_FLAG,
    },
  },
  async func({ stack, graph, json }) {
    const jobs = await (await this.client()).jobs(stack === undefined ? {} : { stack });
    if (json) return sayJson(this, jobs);
    if (jobs.length === 0)
      return say(this, "there are no jobs yet: a service with x-davit.schedule, after or job is one");
    say(this, graph ? renderGraph(jobs) : renderJobs(jobs, this.nowMs()));
  },
});

export function renderJobs(jobs: readonly JobView[], nowMs: number): string {
  const rows = jobs.map((job) => {
    const { lastRun } = job;
    return [
      job.name,
      whenOf(job),
      job.suspended ? "suspended" : job.active.length > 0 ? `running (${job.active.join(", ")})` : "idle",
      job.suspended || job.nextRunAt === undefined ? "" : job.nextRunAt.replace(/:\d\d\.\d{3}Z$/, "Z"),
      lastRun === undefined ? "" : `${lastRun.number} ${lastRun.state} ${ago(lastRun.createdAt, nowMs)} ago`,
      cut(lastRun?.message ?? "", 80),
    ];
  });
  return renderTable(["NAME", "RUNS", "NOW", "NEXT", "LAST RUN", "SAYS"], rows);
}

function whenOf({ schedule, after }: JobView): string {
  if (schedule !== undefined)
    return schedule.timezone === "UTC" ? schedule.cron : `${schedule.cron} (${schedule.timezone})`;
  return after.length > 0 ? `after ${after.join(", ")}` : "when deployed";
}

/** Each job under those that it runs after; one that follows several stands under each, with what follows it under the first. */
export function renderGraph(jobs: readonly JobView[]): string {
  const lines: string[] = [];
  const shown = new Set<string>();
  const draw = (job: JobView, depth: number): void => {
    const last = job.lastRun === undefined ? "" : `  ${job.lastRun.state}`;
    const others = depth > 0 && job.after.length > 1 ? `  (after ${job.after.join(", ")})` : "";
    lines.push(`${"   ".repeat(Math.max(0, depth - 1))}${depth > 0 ? "└─ " : ""}${job.name}${last}${others}`);
    if (shown.has(job.name)) return;
    shown.add(job.name);
    for (const next of jobs) if (next.after.includes(job.name)) draw(next, depth + 1);
  };
  const names = new Set(jobs.map((job) => job.name));
  for (const job of jobs) if (!job.after.some((name) => names.has(name))) draw(job, 0);
  return lines.join("\n");
}
