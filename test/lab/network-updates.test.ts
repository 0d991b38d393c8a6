// Updates under load at the level of connections, as a user makes them: in batches, by canaries, blue-green, one after the other. Two clients ask
// through every node's published port, on kept and on new connections, and keep account. New connections succeed, all of them;
// those that end with their task after it was drained, as kept ones do, are counted apart. UPDATES sets how many there are: 30 by hand, some in every run.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IngressRouteView } from "../../src/core/model/ingress-views.ts";
import type { RolloutDetailView } from "../../src/core/model/rollout-views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { type Called, GrpcCaller } from "./grpc-caller.ts";
import { testLab } from "./lab.ts";
import { describeEntry, type Entry, Ledger } from "./ledger.ts";
import { originImage, pushOrigin } from "./network/origin-image.ts";
import { LabStack } from "./stack.ts";
import { pushTalker } from "./talker-image.ts";

const UPDATES = Number(process.env["UPDATES"] ?? 6);
const REQUESTS = 10_000;
const REPLICAS = 3;
const PORT = 8_100;
/** Long enough for what is lost between busy hosts to be sent again some times. */
const DRAIN_MS = 5_000;
/** What an update may take with its load. */
const UPDATE_MS = 90_000;

const KINDS = [
  { name: "in batches", update: {} },
  { name: "by canaries", update: { strategy: "canary", canaries: 1, weight: 20, hold: "2s" } },
  { name: "blue-green", update: { strategy: "blue-green", keep: "2s" } },
] as const;

const lab = testLab();
let cluster: Cluster;
let web: LabStack;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
  await pushOrigin(lab);
  web = new LabStack(cluster, "load");
  await web.mustDeploy(versionOf(0));
});
afterAll(async () => {
  await cluster.down();
});

/** Version `number` differs in its environment only; `kind`: how it comes in. */
function versionOf(number: number): Parameters<LabStack["mustDeploy"]>[0] {
  const { update } = KINDS[number % KINDS.length] ?? KINDS[0];
  return {
    web: {
      image: originImage(lab),
      ports: [`${PORT}:8080`],
      environment: { VERSION: String(number) },
      deploy: { replicas: REPLICAS, update_config: { parallelism: 1, order: "start-first", monitor: "0s" } },
      "x-davit": {
        drain: `${DRAIN_MS}ms`,
        health: { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" },
        update,
      },
    },
  };
}

/** Host names of the containers that run: their ids, cut. */
async function names(): Promise<readonly string[]> {
  return [...(await web.containers("web")).values()].flat().map((id) => id.slice(0, 12));
}

function startClients(): readonly Ledger[] {
  return [1, 2].map(() => {
    const client = new Ledger();
    for (const node of cluster.nodes) {
      const target = { address: lab.ip(node), port: PORT, host: lab.ip(node) };
      client.keepAsking(target, "kept", 2, 2);
      client.keepAsking(target, "new", 3);
    }
    return client;
  });
}

/** It stood for all of the drain time, and was ended then. */
function endedWithItsTask({ wasEnded, tookMs }: Entry): boolean {
  return wasEnded === true && tookMs >= DRAIN_MS;
}

function haveServed(clients: readonly Ledger[], hosts: readonly string[]): boolean {
  return clients.every((client) => {
    const seen = new Set(client.entries.map(({ body }) => /^host=(\S+)/.exec(body ?? "")?.[1]));
    return hosts.every((host) => seen.has(host));
  });
}

async function isSettled(): Promise<boolean> {
  const { rollout } = await cluster.coordinator.get<RolloutDetailView>("/v1/rollouts/load_web");
  return rollout?.state === "completed";
}

describe("updates under load through every node's published port", () => {
  const numbers = Array.from({ length: UPDATES }, (_, at) => at + 1);
  test.each(numbers.map((number) => [number, KINDS[number % KINDS.length]?.name ?? ""] as const))(
    `number %i, %s, loses no new connection`,
    async (number) => {
      const old = await names();
      expect(old).toHaveLength(REPLICAS);
      const clients = startClients();
      const startMs = performance.now();
      const steps: string[] = [];
      const noted = (step: string): void => {
        steps.push(`${step} at ${((performance.now() - startMs) / 1_000).toFixed(3)} s`);
      };
      try {
        await waitUntil("every old task served", 20_000, () => haveServed(clients, old));
        noted("begins");
        await web.mustDeploy(versionOf(number));
        noted("is deployed");
        await waitUntil("it is completed", UPDATE_MS, isSettled);
        noted("is completed");
        await waitUntil("the old tasks are gone", 30_000, async () =>
          (await names()).every((name) => !old.includes(name)),
        );
        noted("has ended the old tasks");
        const next = await names();
        expect(next).toHaveLength(REPLICAS);
        await waitUntil("every new task served, and enough was asked", UPDATE_MS, () => {
          const count = clients.reduce((sum, client) => sum + client.entries.length, 0);
          return count >= REQUESTS && haveServed(clients, next);
        });
      } finally {
        await Promise.all(clients.map((client) => client.stop()));
      }
      const failures = clients.flatMap((client) => client.failures);
      const lost = failures.filter((entry) => entry.isFirst && !endedWithItsTask(entry));
      const requests = clients.reduce((sum, client) => sum + client.entries.length, 0);
      const ended = clients.reduce((sum, client) => sum + client.endedKept, 0);
      process.stdout.write(
        `update ${number}: ${requests} requests, ${lost.length} new connections failed; ${ended} kept ones ended between answers, ${failures.length - lost.length} within one\n`,
      );
      const said = lost.map((entry) => describeEntry(entry, startMs));
      expect(lost, `the update ${[...steps, ...said].join("; ")}`).toEqual([]);
    },
    3 * UPDATE_MS,
  );
});

test("every node has forgotten a connection ten seconds after it ended: the engine would end its successor", async () => {
  const asked = await lab.on("n1", `curl -s -o/dev/null -w '%{local_port}' http://${lab.ip("n2")}:${PORT}/`);
  const listed = () => lab.on("n2", `conntrack -L -p tcp --sport ${asked.trim()} --dport ${PORT} 2>/dev/null || true`);
  expect(await listed()).toContain(`sport=${asked.trim()}`);
  await waitUntil("it is forgotten", 10_000, async () => (await listed()).trim() === "");
});

describe("gRPC through the ingress", () => {
  test("calls of each kind go through with trailers and deadlines; an update refuses none, and an endless stream ends in good order", async () => {
    const stack = new LabStack(cluster, "rpc");
    const image = await pushTalker(lab, ["v1"]);
    const talker = (version: string) => ({
      image: `${image}:v1`,
      environment: { TALKER_VERSION: version },
      stop_grace_period: "10s",
      deploy: { replicas: 2, update_config: { order: "start-first", parallelism: 1 } },
      "x-davit": {
        health: { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" },
        drain: "3s",
        ingress: [{ host: "rpc.test", port: 8083, protocol: "h2c" }],
      },
    });
    await stack.mustDeploy({ web: talker("v1") });
    await waitUntil("the certificate is there", 20_000, async () => {
      const [route] = await cluster.coordinator.json<readonly IngressRouteView[]>(["ingress", "ls"]);
      return route?.certificate === "valid";
    });
    const ca = await cluster.coordinator.must(["certificate", "authority"]);
    const caller = new GrpcCaller(`${lab.ip("n2")}:443`, "rpc.test", ca);
    await waitUntil("a call is answered", 30_000, async () => (await caller.say("ann")).code === 0);
    const said = await caller.say("ann");
    expect(said).toMatchObject({ texts: ["v1 ann"], code: 0 });
    const containers = (await stack.tasks("web")).map(({ containerId }) => containerId?.slice(0, 12));
    expect(containers).toContain(said.servedBy);
    expect(await caller.count(3)).toMatchObject({ texts: ["v1 1", "v1 2", "v1 3"], code: 0 });
    expect(await caller.chat(["a", "b"])).toMatchObject({ texts: ["v1 a", "v1 b"], code: 0 });
    expect((await caller.say("60000", 300)).code).toBe(4);
    const endless = caller.count(0);
    const calls: Called[] = [];
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) calls.push(await caller.say("1"));
    })();
    await stack.mustDeploy({ web: talker("v2") });
    const stream = await endless;
    await waitUntil("the new version is asked", 30_000, () => calls.at(-1)?.texts[0] === "v2 1");
    over.abort();
    await asking;
    caller.close();
    expect(calls.filter(({ code }) => code !== 0)).toEqual([]);
    expect(new Set(calls.flatMap(({ texts }) => texts))).toEqual(new Set(["v1 1", "v2 1"]));
    expect([stream.code, new Set(stream.texts.map((text) => text.slice(0, 2)))]).toEqual([0, new Set(["v1"])]);
    await stack.remove();
  });
});
