// The verbs of jobs against a served API, and their tables.

import { describe, expect, test } from "vitest";
import { renderRuns } from "../../src/cli/job/history.ts";
import { renderGraph } from "../../src/cli/job/ls.ts";
import type { JobSpec } from "../../src/core/model/job.ts";
import type { ServiceSpec } from "../../src/core/model/service-spec.ts";
import type { JobView, RunView } from "../../src/core/model/views.ts";
import { serve, type Serving, until } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { JOB } from "../fakes/world-model.ts";
import { Harness } from "./harness.ts";
import { NOW_MS } from "./views.ts";

function jobOf(name: string, changes: Partial<JobSpec>): ServiceSpec {
  const mode = { kind: "replicated-job", completions: 1, concurrency: 0 } as const;
  return { ...serviceOf("shop", name, { mode }), job: { ...JOB, ...changes } };
}

async function shop(): Promise<Serving & { readonly cli: Harness }> {
  const serving = await serve();
  const { model } = serving.backend;
  model.node("n1");
  model.nowMs = Date.parse("2026-01-05T10:00:30Z");
  const schedule = { cron: "0 3 * * *", timezone: "Europe/Berlin" };
  await serving.client.deploy(
    stackOf("shop", [jobOf("backup", { schedule }), jobOf("report", { after: ["shop_backup"] })]),
  );
  model.rest();
  return { ...serving, cli: new Harness({ client: serving.client, nowMs: model.nowMs }) };
}

/** Ends every task that runs. */
function endAll({ backend }: Serving, isFine: boolean): void {
  for (const task of backend.model.state.task.values()) {
    if (task.desired !== "running") continue;
    const how = isFine ? ({ state: "complete" } as const) : ({ state: "failed", reason: "exit code 3" } as const);
    backend.model.status(task.id, { ...how, exhausted: true });
  }
  backend.model.rest();
}

describe("davit job", () => {
  test("ls shows when each runs, and what follows what; without jobs it says what makes one", async () => {
    const { cli } = await shop();
    expect(await cli.run("job", "ls")).toBe(0);
    expect(cli.stdout).toMatch(/shop_backup +0 3 \* \* \* \(Europe\/Berlin\) +idle +2026-01-06T02:00Z/);
    expect(cli.stdout).toMatch(/shop_report +after shop_backup +idle/);
    cli.stdout = "";
    await cli.run("job", "ls", "--graph");
    expect(cli.stdout).toBe("shop_backup\n└─ shop_report\n");
    const empty = new Harness({ client: (await serve()).client });
    await empty.run("job", "ls");
    expect(empty.stdout).toContain("there are no jobs yet: a service with x-davit.schedule, after or job is one");
  });

  test("run waits for the run that was asked for, and ends as it does", async () => {
    const serving = await shop();
    const { cli, backend } = serving;
    for (const [isFine, code] of [
      [true, 0],
      [false, 6],
    ] as const) {
      const ended = cli.run("job", "run", "shop_backup");
      await until(() => (backend.model.state.service.get("shop_backup")?.job?.requested ?? 0) > 0 || cli.stdout !== "");
      backend.model.rest();
      endAll(serving, isFine);
      expect(await ended).toBe(code);
      cli.stdout = "";
    }
    expect(cli.stderr).toContain("run 2 failed");
    await cli.run("job", "history", "shop_backup");
    expect(cli.stdout).toMatch(/^RUN +STATE[^\n]*\n2 +failed +requested[^\n]*exit code 3\n1 +succeeded +requested/);
  });

  test("suspend and resume say what they did, and history what comes next", async () => {
    const { cli, backend } = await shop();
    await cli.run("job", "history", "shop_backup");
    await cli.run("job", "suspend", "shop_backup");
    backend.model.rest();
    await cli.run("job", "ls");
    await cli.run("job", "resume", "shop_backup");
    expect(cli.stdout).toContain("shop_backup has not run yet; it runs next at 2026-01-06T02:00:00.000Z");
    expect(cli.stdout).toContain("shop_backup is suspended");
    expect(cli.stdout).toMatch(/shop_backup +0 3 \* \* \* \(Europe\/Berlin\) +suspended/);
    expect(cli.stdout).toContain("shop_backup goes on");
  });

  test("what is no job, and what is no run, is refused with the way out", async () => {
    const { cli } = await shop();
    expect(await cli.run("job", "run", "nothing")).toBe(3);
    expect(await cli.run("job", "logs", "shop_backup", "--run", "x")).toBe(2);
    expect(await cli.run("job", "logs", "shop_backup", "--run", "9")).toBe(3);
    expect(cli.stderr).toContain("'x' is not the number of a run");
    expect(cli.stderr).toContain("davit job history shop_backup lists those that are");
  });
});

describe("tables of jobs", () => {
  const run: RunView = {
    number: 7,
    version: 2,
    cause: "scheduled",
    state: "succeeded",
    createdAt: "2026-01-01T00:00:00Z",
    endedAt: "2026-01-01T00:00:12Z",
    message: "",
    completed: 3,
    wanted: 3,
  };

  test("a run says for how many ticks it stands, and when they are too many to count, that they are", () => {
    const text = renderRuns([{ ...run, missed: 29 }, { ...run, missed: 1_000 }, run], NOW_MS).split("\n");
    expect(text.map((line) => line.split(/ {2,}/)[2])).toEqual([
      "CAUSE",
      "scheduled, for 29 more",
      "scheduled, for 1000 or more",
      "scheduled",
    ]);
  });

  test("a graph of many ways to the same job is as long as its ways, and no longer", () => {
    const jobs = Array.from({ length: 40 }, (_, at): JobView => {
      const level = Math.floor(at / 2);
      const after = level === 0 ? [] : [`j${2 * level - 2}`, `j${2 * level - 1}`];
      const mode = { kind: "replicated-job", completions: 1, concurrency: 0 } as const;
      return { id: `${at}`, index: 1, name: `j${at}`, image: "x", mode, after, suspended: false, active: [] };
    });
    expect(renderGraph(jobs).split("\n")).toHaveLength(2 + 2 * 38);
  });
});
