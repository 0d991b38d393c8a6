// Jobs over the API: what is asked for is answered by the plan, and every fault is named.

import { describe, expect, test } from "vitest";
import type { JobSpec } from "../../src/core/model/job.ts";
import type { ServiceSpec } from "../../src/core/model/service-spec.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { JOB } from "../fakes/world-model.ts";
import { refusal, serve, type Serving } from "./serving.ts";

function jobOf(name: string, changes: Partial<JobSpec> = {}): ServiceSpec {
  const mode = { kind: "replicated-job", completions: 2, concurrency: 0 } as const;
  return { ...serviceOf("shop", name, { mode }), job: { ...JOB, ...changes } };
}

async function serveWith(...services: readonly ServiceSpec[]): Promise<Serving> {
  const serving = await serve();
  serving.backend.model.node("n1");
  serving.backend.model.nowMs = Date.parse("2026-01-05T10:00:30Z");
  await serving.client.deploy(stackOf("shop", services));
  serving.backend.model.rest();
  return serving;
}

function endAll({ backend }: Serving, isFine = true): void {
  for (const task of backend.model.state.task.values()) {
    if (task.desired !== "running") continue;
    const how = isFine ? ({ state: "complete" } as const) : ({ state: "failed", reason: "exit code 3" } as const);
    backend.model.status(task.id, { ...how, exhausted: true });
  }
  backend.model.rest();
}

describe("a job", () => {
  test("that was deployed is running, then done, with its history; progress follows its run", async () => {
    const serving = await serveWith(jobOf("seed"));
    const { client, backend } = serving;
    const { id } = await client.service("shop_seed");
    expect(await client.jobs()).toMatchObject([{ name: "shop_seed", active: [1], suspended: false, after: [] }]);
    const [first] = await Array.fromAsync(client.progress([id], {}, AbortSignal.timeout(300))).catch(() => []);
    expect(first ?? []).toBeDefined();
    endAll(serving);
    expect(await client.job("shop_seed")).toMatchObject({
      active: [],
      runs: [{ number: 1, state: "succeeded", cause: "deployed", completed: 2, wanted: 2 }],
    });
    const [last] = (await Array.fromAsync(client.progress([id]))).at(-1) ?? [];
    expect(last).toMatchObject({ done: true, ok: true, desired: 2, healthy: 2 });
    expect(backend.model.told.join("\n")).toContain("run 1 of shop_seed: succeeded");
  });

  test("is run on request, unless one is under way and its overlap forbids it", async () => {
    const serving = await serveWith(jobOf("seed"));
    const { client } = serving;
    expect(await refusal(client.runJob("shop_seed"))).toMatchObject({
      code: "conflict",
      message: "run shop_seed: run 1 is under way, and its overlap is forbid",
    });
    endAll(serving);
    await client.runJob("shop_seed");
    serving.backend.model.rest();
    endAll(serving, false);
    expect((await client.job("shop_seed")).runs).toMatchObject([
      { number: 2, state: "failed", cause: "requested", message: expect.stringContaining("exit code 3") },
      { number: 1, state: "succeeded" },
    ]);
    const { id } = await client.service("shop_seed");
    const [last] = (await Array.fromAsync(client.progress([id]))).at(-1) ?? [];
    expect(last).toMatchObject({ done: true, ok: false, message: expect.stringContaining("run 2 failed") });
  });

  test("with a schedule says when it runs next, and nothing while it is suspended", async () => {
    const serving = await serveWith(jobOf("tick", { schedule: { cron: "0 3 * * *", timezone: "UTC" } }));
    const { client, backend } = serving;
    expect(await client.job("shop_tick")).toMatchObject({ nextRunAt: "2026-01-06T03:00:00.000Z", runs: [] });
    const { id } = await client.service("shop_tick");
    const [settled] = (await Array.fromAsync(client.progress([id]))).at(-1) ?? [];
    expect(settled).toMatchObject({ done: true, ok: true, message: "it runs next at 2026-01-06T03:00:00.000Z" });
    expect(await client.suspendJob("shop_tick")).toMatchObject({ suspended: true });
    backend.model.rest();
    expect(await client.job("shop_tick")).not.toHaveProperty("nextRunAt");
    const again = await client.suspendJob("shop_tick");
    expect(again.index, "a second time changes nothing").toBe((await client.job("shop_tick")).index);
    await client.resumeJob("shop_tick");
    backend.model.rest();
    expect(await client.job("shop_tick")).toMatchObject({ suspended: false, nextRunAt: expect.any(String) });
  });

  test("is waited for to the end of the run that was asked for, whatever its schedule does meanwhile", async () => {
    const serving = await serveWith(jobOf("tick", { schedule: { cron: "* * * * *", timezone: "UTC" } }));
    const { client, backend } = serving;
    const { id } = await client.runJob("shop_tick");
    backend.model.rest();
    backend.model.nowMs += 60_000;
    backend.model.rest();
    expect((await client.job("shop_tick")).runs).toMatchObject([{ state: "skipped" }, { state: "running" }]);
    const first = (await client.progress([id], {})[Symbol.asyncIterator]().next()).value;
    expect(first).toMatchObject([{ done: false, message: "run 1: 0 of 2 tasks are done" }]);
  });

  test("has the logs of its newest run, or of one that is kept", async () => {
    const serving = await serveWith(jobOf("seed"));
    const { client, backend } = serving;
    endAll(serving);
    await client.runJob("shop_seed");
    backend.model.rest();
    backend.logsOf = (id) => ({
      lines: [{ stream: "stdout", at: "2026-01-05T10:00:31Z", text: `run ${backend.model.state.task.get(id)?.run}` }],
    });
    const lines = async (run?: number): Promise<readonly string[]> => {
      const messages = await Array.fromAsync(client.jobLogs("shop_seed", run === undefined ? {} : { run }));
      return messages.map((message) => (message.kind === "line" ? message.text : message.message));
    };
    endAll(serving);
    expect(new Set(await lines())).toEqual(new Set(["run 2"]));
    expect(new Set(await lines(1))).toEqual(new Set(["run 1"]));
    expect(await refusal(lines(7))).toMatchObject({
      code: "not_found",
      wayOut: expect.stringContaining("job history"),
    });
  });

  test("is not a service that runs for ever, and such a service is no job", async () => {
    const { client } = await serveWith(jobOf("seed"), serviceOf("shop", "web"));
    expect(await refusal(client.scale("shop_seed", 3))).toMatchObject({ code: "conflict" });
    expect(await refusal(client.runJob("shop_web"))).toMatchObject({
      code: "conflict",
      message: "shop_web is no job: it is replicated",
    });
    expect((await client.jobs()).map((job) => job.name)).toEqual(["shop_seed"]);
  });
});

describe("a stack with jobs that cannot be", () => {
  test.each([
    [[jobOf("a", { after: ["shop_b"] }), jobOf("b", { after: ["shop_a"] })], "shop_a → shop_b → shop_a"],
    [[jobOf("a", { after: ["shop_a"] })], "shop_a → shop_a"],
    [[jobOf("a", { after: ["shop_none"] })], "there is no such service"],
    [[jobOf("a", { after: ["shop_web"] }), serviceOf("shop", "web")], "which is no job: it never ends"],
    [[jobOf("a", { schedule: { cron: "0 0 30 2 *", timezone: "UTC" } })], "never fires: there is no such date"],
    [[jobOf("a", { schedule: { cron: "99 * * * *", timezone: "UTC" } })], "Invalid value for minute: 99"],
    [[jobOf("a", { schedule: { cron: "0 0 * * *", timezone: "Moon/Base" } })], "Moon/Base"],
    [[jobOf("a", { schedule: { cron: "@daily", timezone: "UTC" }, after: ["shop_b"] }), jobOf("b")], "one of the two"],
    [[jobOf("a", { keptRuns: 0 })], "keeps 0 runs: must be from 1 to 100"],
    [[{ ...jobOf("a"), mode: { kind: "replicated-job", completions: 2, concurrency: 3 } } as const], "3 at once of 2"],
    [[{ ...jobOf("a"), mode: { kind: "replicated-job", completions: 0, concurrency: 0 } } as const], "0 completions"],
    [[{ ...serviceOf("shop", "a"), job: JOB }], "only jobs have one"],
  ])("is refused: case %#", async (services, words) => {
    const { client, backend } = await serve();
    const error = await refusal(client.deploy(stackOf("shop", services)));
    expect(error.code).toBe("invalid_input");
    expect(`${error.message} ${error.details.map((detail) => detail.message).join(" ")}`).toContain(words);
    expect(backend.revision()).toBe(0);
  });
});
