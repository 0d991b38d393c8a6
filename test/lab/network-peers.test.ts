// What nodes tell each other without a coordinator, on three real hosts: a container that dies is called by nobody soon after, and again once it
// works; a host that dies is out of the others' doors before its loss is known. Clients on the other hosts ask all the time, by the service's
// own address and by the published port, and note when they were answered by whom.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { EventView, NodeView } from "../../src/core/model/views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { LabStack } from "./stack.ts";

const PORT = 8_300;
/** From the death of a container until no node leads anybody to it. */
const TOLD_MS = 1_000;
/** From the death of a host until no other leads anybody to it: silence, then two attempts in vain. */
const SILENT_MS = 4_000;

/** An engine on a busy machine may take seconds to kill; the attempt after it comes eight seconds later. */
const ASK_SECONDS = 8;

const lab = testLab();
let cluster: Cluster;
let web: LabStack;
let serviceAddress: string;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
  web = new LabStack(cluster, "peers");
  await web.mustDeploy({
    web: {
      image: web.image("v1"),
      ports: [{ target: 8080, published: `${PORT}`, name: "pages", app_protocol: "http" }],
      deploy: { mode: "global", restart_policy: { delay: "8s" } },
      "x-davit": { health: { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" } },
    },
  });
  const looked = await cluster.coordinator.must(["lookup", "peers_web"]);
  serviceAddress = /10\.210\.\d+\.\d+/.exec(looked)?.[0] ?? "";
});
afterAll(async () => {
  await cluster.down();
});

type Asked = { readonly atMs: number; readonly host: string | undefined };

/** Asks from a host for so many seconds, one new connection after the other; `host`: whose container answered, undefined when none did. */
async function ask(from: string, url: string, seconds: number): Promise<readonly Asked[]> {
  const script = `end=$(( $(date +%s) + ${seconds} )); while [ $(date +%s) -lt $end ]; do at=$(date +%s%3N);
    echo "$at $(curl -sS --connect-timeout 0.5 --max-time 1 ${url} 2>/dev/null | sed -n 's/^host=//p')"; done`;
  const out = await lab.on(from, script);
  return out
    .trim()
    .split("\n")
    .map((line) => {
      const [at = "", host] = line.trim().split(" ");
      return { atMs: Number(at), host };
    });
}

/** The newest time at which something of these was asked in vain or answered by `host`; 0 if never. */
function lastOf(asked: readonly Asked[], host: string | undefined): number {
  return Math.max(0, ...asked.filter((one) => one.host === host).map(({ atMs }) => atMs));
}

async function hostNameOn(node: string): Promise<string> {
  const id = [...(await web.containers("web", [node])).values()].flat()[0] ?? "";
  return (await lab.on(node, `docker exec ${id} hostname`)).trim();
}

describe("a named port", () => {
  test("is told by SRV records under its own name and under that of what is spoken there", async () => {
    const client = [...(await web.containers("web", ["n1"])).values()].flat()[0] ?? "";
    for (const name of ["_pages._tcp.web", "_http._tcp.web", "_http._tcp.tasks.web"]) {
      const said = await lab.on("n1", `docker exec ${client} nslookup -type=srv ${name} 2>&1 || true`);
      expect(said, name).toMatch(/8080 (\d\.)?(tasks\.)?web/);
    }
  });
});

describe("without a coordinator", () => {
  beforeEach(() => cluster.coordinator.stop());
  afterEach(() => cluster.coordinator.start());

  test("a container that is killed gets no connection a second later, from any node, and gets some again once it is ready", async () => {
    const victim = await hostNameOn("n2");
    const id = [...(await web.containers("web", ["n2"])).values()].flat()[0] ?? "";
    const clients = [
      ask("n1", `http://${serviceAddress}:8080/`, ASK_SECONDS),
      ask("n3", `http://${serviceAddress}:8080/`, ASK_SECONDS),
      ask("n1", `http://${lab.ip("n1")}:${PORT}/`, ASK_SECONDS),
    ];
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await lab.on("n2", `docker kill ${id}`);
    const killedMs = Date.now();
    const all = await Promise.all(clients);
    for (const asked of all) {
      expect(asked.some((one) => one.host === victim && one.atMs < killedMs)).toBe(true);
      const late = asked.filter((one) => one.atMs > killedMs + TOLD_MS);
      expect(late.length).toBeGreaterThan(5);
      expect(late.filter((one) => one.host === undefined || one.host === victim)).toEqual([]);
    }
    const worst = Math.max(...all.map((asked) => lastOf(asked, undefined) - killedMs));
    process.stdout.write(`a killed container: last connection in vain ${worst} ms after its end\n`);
    const before = new Set(all.flat().map(({ host }) => host));
    await waitUntil("n2's task is called again", 30_000, async () => {
      const asked = await ask("n3", `http://${serviceAddress}:8080/`, 1);
      return asked.some(({ host }) => host !== undefined && !before.has(host));
    });
  });

  test("names, too, lead only to what is ready", async () => {
    const id = [...(await web.containers("web", ["n2"])).values()].flat()[0] ?? "";
    const client = [...(await web.containers("web", ["n1"])).values()].flat()[0] ?? "";
    const address = await lab.on("n2", `docker inspect -f '{{.NetworkSettings.Networks.davit0.IPAddress}}' ${id}`);
    const isNamed = async (): Promise<boolean> =>
      (await lab.on("n1", `docker exec ${client} nslookup tasks.web || true`)).includes(address.trim());
    expect(await isNamed()).toBe(true);
    await lab.on("n2", `docker kill ${id}`);
    await waitUntil("its name is gone", TOLD_MS + 2_000, async () => !(await isNamed()));
    await waitUntil("its name is back", 30_000, isNamed);
  });
});

describe("a host that dies under load", () => {
  test("is out of the others' doors before its loss is known, and within a second of that at the latest", async () => {
    await waitUntil("all are in contact", 20_000, async () => {
      const nodes = await cluster.coordinator.json<readonly NodeView[]>(["node", "ls"]);
      return nodes.every(({ presence }) => presence === "ready");
    });
    const victim = await hostNameOn("n3");
    const clients = [
      ask("n1", `http://${serviceAddress}:8080/`, 16),
      ask("n2", `http://${serviceAddress}:8080/`, 16),
      ask("n1", `http://${lab.ip("n2")}:${PORT}/`, 16),
    ];
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await lab.crash("n3");
    const crashedMs = Date.now();
    const all = await Promise.all(clients);
    const told = await cluster.coordinator.must(["events", "--json", "--since", "0"]);
    const events = told.split("\n").map((line) => JSON.parse(line) as EventView);
    const lost = events.findLast((event) => event.type === "node.lost" && Date.parse(event.at) > crashedMs - 1_000);
    const lostMs = Date.parse(lost?.at ?? "");
    const worst = Math.max(...all.map((asked) => lastOf(asked, undefined)));
    process.stdout.write(
      `a dead host: last connection in vain ${worst - crashedMs} ms after its end; its loss known after ${lostMs - crashedMs} ms\n`,
    );
    for (const asked of all) {
      expect(asked.some((one) => one.host === victim && one.atMs < crashedMs)).toBe(true);
      const late = asked.filter((one) => one.atMs > crashedMs + SILENT_MS);
      expect(late.length).toBeGreaterThan(5);
      expect(late.filter((one) => one.host === undefined)).toEqual([]);
    }
    expect(worst).toBeLessThan(lostMs + 1_000);
  });
});
