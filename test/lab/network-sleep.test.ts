// Services that fall asleep on three real hosts: woken by a container, a published port and a host name, many at once, from where no task is; how long
// a cold start takes beside the engine's own; and who does not wake them.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServiceDetailView } from "../../src/core/model/views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { mustRun, runCommand } from "./run-command.ts";
import { LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;
let stack: LabStack;
const HEALTH = { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "100ms" };
const SCALE = { min: 0, idle: "10s" };

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3, newer: 1 });
  stack = new LabStack(cluster, "shop");
  const image = stack.image("v1");
  const quick = { stop_grace_period: "0s" };
  await stack.mustDeploy({
    api: {
      image,
      ...quick,
      ports: ["8080:8080"],
      deploy: { replicas: 2 },
      "x-davit": {
        health: HEALTH,
        scale: SCALE,
        drain: "0s",
        ingress: [{ host: "api.lab.test", port: 8080, tls: "off" }],
      },
    },
    caller: { image, ...quick, deploy: { mode: "global" } },
  });
});
afterAll(async () => {
  await cluster.down();
});

function api(): Promise<ServiceDetailView> {
  return cluster.coordinator.json<ServiceDetailView>(["service", "inspect", "shop_api"]);
}

async function untilAsleep(): Promise<void> {
  await waitUntil("the service is asleep, and nothing of it runs", 60_000, async () => {
    const containers = await Promise.all(cluster.nodes.map((node) => lab.containers(node, "davit.service=shop_api")));
    return (await api()).desired === 0 && containers.flat().length === 0;
  });
}

/** The page of the published port of a node, from outside; its time in milliseconds. */
async function page(node: string): Promise<{ readonly text: string; readonly tookMs: number }> {
  const startedMs = performance.now();
  const said = await runCommand(["curl", "-sS", "-m", "30", `http://${lab.ip(node)}:8080/`]);
  return { text: `${said.stdout}${said.stderr}`, tookMs: performance.now() - startedMs };
}

/** The same by the service's own address, from a container of another service on a node. */
async function pageFrom(node: string): Promise<string> {
  const [container] = await lab.containers(node, "davit.service=shop_caller");
  const { address } = await api();
  const call = `printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 30 ${address} 8080`;
  const said = await lab.ssh(node, `docker exec ${container?.Id} sh -c '${call}'`);
  return `${said.stdout}${said.stderr}`;
}

describe("a service that nobody calls", () => {
  test("falls asleep, and wakes with all of its tasks at the first call of its published port on any node", async () => {
    await untilAsleep();
    const { text, tookMs } = await page("n3");
    expect(text).toContain("version=v1");
    expect(tookMs).toBeLessThan(15_000);
    await waitUntil("both tasks are healthy", 20_000, async () => (await api()).healthy === 2);
  });

  test("stays awake while somebody keeps calling it, from a container by its address", async () => {
    const until = Date.now() + 20_000;
    while (Date.now() < until) {
      expect(await pageFrom("n1")).toContain("version=v1");
      await Bun.sleep(2_000);
    }
    expect((await api()).desired).toBe(2);
  });

  test("is woken by a container that calls its address", async () => {
    await untilAsleep();
    expect(await pageFrom("n2")).toContain("version=v1");
  });

  test("loses none of a hundred calls that come at once while it sleeps", async () => {
    await untilAsleep();
    const calls = Array.from({ length: 100 }, (_, at) => page(cluster.nodes[at % 3] ?? "n1"));
    const answers = await Promise.all(calls);
    expect(answers.filter(({ text }) => !text.includes("version=v1")).map(({ text }) => text)).toEqual([]);
  });

  test("is woken by a request for its host name, and not by whoever only looks whether somebody listens", async () => {
    await untilAsleep();
    for (let at = 0; at < 3; at++) await lab.on("n1", `timeout 2 bash -c '</dev/tcp/${lab.ip("n2")}/8080' || true`);
    await Bun.sleep(3_000);
    expect((await api()).desired).toBe(0);
    const route = `api.lab.test:80:${lab.ip("n1")}`;
    const said = await runCommand(["curl", "-sS", "-m", "30", "--resolve", route, "http://api.lab.test/"]);
    expect(said.stdout).toContain("version=v1");
  });

  test("stays awake while its host name is asked for, in requests shorter than any look", async () => {
    const until = Date.now() + 20_000;
    const route = `api.lab.test:80:${lab.ip("n2")}`;
    while (Date.now() < until) {
      await mustRun(["curl", "-sSf", "-m", "10", "--resolve", route, "http://api.lab.test/"]);
      await Bun.sleep(2_000);
    }
    expect((await api()).desired).toBe(2);
    await untilAsleep();
  });
});
