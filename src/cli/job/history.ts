// davit job history JOB

import { buildCommand } from "@stricli/core";
import { MAX_MISSED_COUNT } from "../../core/model/job.ts";
import type { RunView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { jobNames, oneRef } from "../refs.ts";
import { cut, renderTable } from "../render/table.ts";
import { ago, duration } from "../render/units.ts";

export const jobHistory = buildCommand<{ readonly json: boolean }, [string], CliContext>({
  docs: { brief: "list the runs of a job that are kept, the newest first" },
  parameters: { positional: oneRef("JOB", "name, id or unique prefix", jobNames), flags: { json: JSON_FLAG } },
  async func({ json }, ref) {
    const job = await (await this.client()).job(ref);
    if (json) return sayJson(this, job.runs);
    if (job.runs.length === 0)
      return say(
        this,
        `${job.name} has not run yet${job.nextRunAt === undefined ? "" : `; it runs next at ${job.nextRunAt}`}`,
      );
    say(this, renderRuns(job.runs, this.nowMs()));
  },
});

export function renderRuns(runs: readonly RunView[], nowMs: number): string {
  const rows = runs.map((run) => [
    String(run.number),
    run.state,
    run.cause === "scheduled" && run.missed !== undefined ? `scheduled, for ${countOf(run.missed)}` : run.cause,
    `${run.completed}/${run.wanted}`,
    `${ago(run.createdAt, nowMs)} ago`,
    duration((run.endedAt === undefined ? nowMs : Date.parse(run.endedAt)) - Date.parse(run.createdAt)),
    `v${run.version}`,
    cut(run.message, 100),
  ]);
  return renderTable(["RUN", "STATE", "CAUSE", "DONE", "BEGAN", "TOOK", "VERSION", "SAYS"], rows);
}

function countOf(missed: number): string {
  return missed < MAX_MISSED_COUNT ? `${missed} more` : `${MAX_MISSED_COUNT} or more`;
}
