// Jobs on three real hosts: what their containers did is asked of the engines, what davit made of it of the command line. The coordinator is
// killed in the middle of a schedule, and a host in the middle of a run.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { JobView, NodeView, RunView } from "../../src/core/model/views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { LabStack, type ServiceText } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;
let stack: LabStack;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
});
afterAll(async () => {
  await cluster.down();
});
afterEach(async () => {
  await stack.remove();
});

/** A job that runs a line of shell. */
function script(line: string, extension: Readonly<Record<string, unknown>> = {}, more: ServiceText = {}): ServiceText {
  const restart = { condition: "on-failure", delay: "100ms", max_attempts: 2 };
  return {
    image: `${lab.registry}/web:v1`,
    command: ["sh", "-c", line],
    stop_grace_period: "1s",
    deploy: { restart_policy: restart },
    ...more,
    "x-davit": { job: {}, ...extension },
  };
}

/** The stack of this test; its jobs' services are deployed, whatever becomes of their runs. */
function use(name: string): LabStack {
  stack = new LabStack(cluster, name);
  return stack;
}

/** Kept runs, oldest first. */
async function runs(job: string): Promise<readonly RunView[]> {
  const newestFirst = await cluster.coordinator.json<readonly RunView[]>(["job", "history", `${stack.name}_${job}`]);
  return newestFirst.toReversed();
}

async function states(job: string): Promise<readonly string[]> {
  return (await runs(job)).map((run) => `${run.number} ${run.state}`);
}

/** Containers that the engines have of a job, ended ones too. */
async function containers(job: string): Promise<number> {
  const label = `davit.service=${stack.name}_${job}`;
  const lists = await Promise.all(cluster.nodes.map((node) => lab.containers(node, label, true)));
  return lists.flat().length;
}

function tickOf(run: RunView | undefined): number {
  return Date.parse(run?.tickAt ?? "");
}

describe("a schedule", () => {
  test("of a few seconds whose coordinator is killed and comes back runs no tick twice, the missed ones once, and nothing that ran again", async () => {
    const everyMs = 4_000;
    await use("cron").mustDeploy({
      tick: script("echo began; sleep 2; echo ended", { schedule: "*/4 * * * * *", job: { history: 30 } }),
    });
    await waitUntil("a run has succeeded", 20_000, async () =>
      (await runs("tick")).some(({ state }) => state === "succeeded"),
    );
    let interrupted: RunView | undefined;
    await waitUntil("a run is under way", 20_000, async () => {
      interrupted = (await runs("tick")).find(({ state }) => state === "running");
      return interrupted !== undefined && (await stack.containers("tick")).values().some((ids) => ids.length > 0);
    });
    await cluster.coordinator.kill();
    const killedMs = Date.now();
    await waitUntil("two ticks have passed", 20_000, () => Date.now() > killedMs + 2.5 * everyMs);
    await cluster.coordinator.start();
    await waitUntil("two runs after its return", 40_000, async () => {
      const later = (await runs("tick")).filter((run) => tickOf(run) > killedMs && run.state === "succeeded");
      return later.length >= 2;
    });
    await cluster.coordinator.must(["job", "suspend", "cron_tick"]);
    await waitUntil("nothing is under way", 20_000, async () =>
      (await runs("tick")).every(({ state }) => state !== "running"),
    );
    const all = await runs("tick");
    const missed = all.filter((run) => run.missed !== undefined);
    expect(missed.length, "the ticks that were missed are answered by one run").toBeGreaterThanOrEqual(1);
    expect(Date.parse(missed[0]?.createdAt ?? ""), "made after the return").toBeGreaterThan(killedMs + 2 * everyMs);
    for (const [at, run] of all.entries()) {
      const before = all[at - 1];
      if (before !== undefined) expect(tickOf(run) - tickOf(before)).toBe(everyMs * ((run.missed ?? 0) + 1));
    }
    expect(all.find(({ number }) => number === interrupted?.number)?.state, "it went on without").toBe("succeeded");
    expect(await containers("tick")).toBe(all.filter(({ state }) => state !== "skipped").length);
  });

  test("that is suspended makes no runs but those that are asked for, and goes on from the resumption", async () => {
    const { coordinator } = cluster;
    await use("halt").mustDeploy({ tick: script("echo done", { schedule: "*/2 * * * * *" }) });
    await waitUntil("it has run", 20_000, async () => (await runs("tick")).length > 0);
    await coordinator.must(["job", "suspend", "halt_tick"]);
    await waitUntil("nothing is under way", 20_000, async () =>
      (await runs("tick")).every(({ state }) => state !== "running"),
    );
    const before = (await runs("tick")).length;
    const suspendedMs = Date.now();
    await waitUntil("two ticks have passed", 10_000, () => Date.now() > suspendedMs + 4_500);
    expect(await runs("tick")).toHaveLength(before);
    await coordinator.must(["job", "run", "halt_tick"]);
    expect((await runs("tick")).slice(before)).toMatchObject([{ cause: "requested", state: "succeeded" }]);
    const resumedMs = Date.now();
    await coordinator.must(["job", "resume", "halt_tick"]);
    await waitUntil("it runs again", 20_000, async () => (await runs("tick")).length > before + 1);
    const next = (await runs("tick"))[before + 1];
    expect(tickOf(next)).toBeGreaterThan(resumedMs);
    expect(next).not.toHaveProperty("missed");
  });
});

describe("a run", () => {
  test("of a job after two others begins when both have succeeded, and again when both have succeeded again", async () => {
    const { coordinator } = cluster;
    const deployed = await use("graph").deploy({
      fetch: script("sleep 1"),
      clean: script("echo clean"),
      report: script("echo report", { after: ["fetch", "clean"] }),
    });
    expect(deployed.exitCode, deployed.stderr).toBe(0);
    await waitUntil("the report is done", 20_000, async () => (await states("report")).includes("1 succeeded"));
    const [report] = await runs("report");
    const [fetched] = await runs("fetch");
    expect(report?.cause).toBe("after");
    expect(Date.parse(report?.createdAt ?? "")).toBeGreaterThanOrEqual(Date.parse(fetched?.endedAt ?? ""));
    await coordinator.must(["job", "run", "graph_fetch"]);
    expect(await states("report"), "only one of the two has run again").toEqual(["1 succeeded"]);
    await coordinator.must(["job", "run", "graph_clean"]);
    await waitUntil("the report is done again", 20_000, async () => (await states("report")).includes("2 succeeded"));
    const graph = await coordinator.must(["job", "ls", "--stack", "graph", "--graph"]);
    expect(graph).toMatch(
      /graph_fetch {2}succeeded\n└─ graph_report {2}succeeded {2}\(after graph_clean, graph_fetch\)/,
    );
  });

  test("that fails is tried again with waits between, fails the command with the reason, and keeps its logs when another follows", async () => {
    const { coordinator } = cluster;
    const result = await use("fail").deploy({ load: script("echo attempt at $(date +%s%N | cut -c1-13); exit 3") });
    expect(result.exitCode).not.toBe(0);
    expect(`${result.stdout}${result.stderr}`).toMatch(/run 1 failed: fail_load\.run-1\.1 on n\d: .*exit code 3/);
    const again = await coordinator.cli(["job", "run", "fail_load"]);
    expect(again.exitCode).not.toBe(0);
    expect(await states("load")).toEqual(["1 failed", "2 failed"]);
    const tried = (await stack.tasks("load", true)).map((task) => task.attempt);
    expect(tried, "the first try and two more, in each run").toEqual([3, 3]);
    const logs = [
      await coordinator.must(["job", "logs", "fail_load", "--run", "1"]),
      await coordinator.must(["job", "logs", "fail_load"]),
    ];
    for (const text of logs) expect(text.match(/attempt at \d+/g), "what the last try said").toHaveLength(1);
    expect(logs[0]).not.toBe(logs[1]);
  });

  test("of a global job is for every node, once", async () => {
    await use("every").mustDeploy({
      tidy: script("hostname", {}, { hostname: "{{.Node.Hostname}}", deploy: { mode: "global-job" } }),
    });
    expect(await runs("tidy")).toMatchObject([{ state: "succeeded", completed: 3, wanted: 3 }]);
    const counts = await Promise.all(
      cluster.nodes.map(async (node) => (await lab.containers(node, "davit.service=every_tidy", true)).length),
    );
    expect(counts).toEqual([1, 1, 1]);
    const logs = await cluster.coordinator.must(["job", "logs", "every_tidy"]);
    for (const node of cluster.nodes) expect(logs).toMatch(new RegExp(`\\b${node}$`, "m"));
  });

  test("that takes longer than its timeout fails, and its container is stopped", async () => {
    const result = await use("slow").deploy({ wait: script("sleep 60", { job: { timeout: "3s" } }) });
    expect(result.exitCode).not.toBe(0);
    expect(`${result.stdout}${result.stderr}`).toContain("run 1 failed: it took longer than 3 s");
    await stack.untilRunning("wait", 0, 10_000);
    expect(await containers("wait")).toBe(1);
  });

  test("whose host dies is made again on another one, and a run that was asked for is waited for over that", async () => {
    const { coordinator } = cluster;
    const result = await use("lost").deploy({ long: script("sleep 7; echo over") }, ["--detach"]);
    expect(result.exitCode, result.stderr).toBe(0);
    let home = "";
    await waitUntil("it runs", 20_000, async () => {
      for (const [node, ids] of await stack.containers("long")) if (ids.length > 0) home = node;
      return home !== "";
    });
    await lab.run("crash", home);
    await waitUntil("the run has succeeded", 40_000, async () => (await states("long")).includes("1 succeeded"));
    const others = cluster.nodes.filter((node) => node !== home);
    const label = "davit.service=lost_long";
    const made = await Promise.all(others.map(async (node) => (await lab.containers(node, label, true)).length));
    expect(made.toSorted()).toEqual([0, 1]);
    await lab.start(home);
    await waitUntil("the host is back", 60_000, async () => {
      const nodes = await coordinator.json<readonly NodeView[]>(["node", "ls"]);
      return nodes.every(({ presence }) => presence === "ready");
    });
    await stack.untilRunning("long", 0, 20_000);
    expect(await states("long")).toEqual(["1 succeeded"]);
  });
});

test("what can never run is refused with every fault, and nothing is deployed", async () => {
  const result = await use("never").deploy({
    leap: script("true", { schedule: "0 0 30 2 *" }),
    minute: script("true", { schedule: "99 * * * *" }),
    moon: script("true", { schedule: { cron: "@daily", timezone: "Moon/Base" } }),
    egg: script("true", { after: ["hen"] }),
    hen: script("true", { after: ["egg"] }),
  });
  expect(result.exitCode).toBe(2);
  for (const words of [
    "services.leap.x-davit.schedule: '0 0 30 2 *' never fires: there is no such date",
    "Invalid value for minute: 99",
    "Moon/Base",
    "services.egg.x-davit.after: comes back to the job itself, over others or directly",
  ])
    expect(result.stderr).toContain(words);
  expect(await cluster.coordinator.json<readonly JobView[]>(["job", "ls"])).toEqual([]);
  await stack.mustDeploy({ one: script("true") });
});
