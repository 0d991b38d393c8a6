// Rolling updates under load at the level of connections: tasks enter the doors once they answer, leave them on every node before they are asked
// to stop, and clients through every node's published port keep account of what they asked. New connections all succeed; those that were kept
// open across the end of the drain are counted apart.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Endpoint, ServiceRoutes } from "../../src/core/model/routes.ts";
import { endpoint, service } from "../agent/firewall/views.ts";
import { waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { Ledger } from "./ledger.ts";
import { NetworkHosts } from "./network/hosts.ts";

const NODES = [1, 2, 3] as const;
const UPDATES = 3;
const REQUESTS = 10_000;
/** Between the moment at which a task is out of every node's doors and its stop. */
const DRAIN_MS = 1_500;
const PORT = 8_000;

const lab = testLab();
const hosts = new NetworkHosts(lab, 3);

beforeAll(async () => {
  await hosts.up();
  await hosts.startKeeping();
}, 180_000);
afterAll(() => lab.down());

/** Tasks of one version: one on each node, at an address of its own. */
function versionOf(number: number): readonly Endpoint[] {
  return NODES.map((node) => endpoint(`10.210.${node}.${20 + number}`, { slot: node }));
}

function web(endpoints: readonly Endpoint[]): ServiceRoutes {
  return service(1, "web", endpoints, { ports: [{ published: PORT, target: 8_080, protocol: "tcp" }] });
}

async function start({ address, nodeId }: Endpoint): Promise<void> {
  const name = `web-${address.split(".").at(-1)}`;
  await lab.on(
    nodeId,
    `docker run -d --name ${name} --hostname ${name}-${nodeId} --network davit0 --ip ${address} ${hosts.image}`,
  );
  await waitUntil(`${name} answers`, 20_000, async () => {
    return (await lab.ssh(nodeId, `origin call tcp ${address} 8080`)).stdout.startsWith("host=");
  });
}

async function stop({ address, nodeId }: Endpoint): Promise<void> {
  await lab.on(
    nodeId,
    `docker stop -t 10 web-${address.split(".").at(-1)} && docker rm web-${address.split(".").at(-1)}`,
  );
}

/** One after the other: the new task enters, the old one leaves, drains, and stops. */
async function update(from: readonly Endpoint[], to: readonly Endpoint[]): Promise<void> {
  let current = [...from];
  for (const [at, next] of to.entries()) {
    const old = from[at];
    if (old === undefined) throw new Error("every version has as many tasks");
    await hosts.make([web([...current, { ...next, standing: "waiting" }])]);
    await start(next);
    current = [...current.filter((each) => each !== old), next];
    await hosts.make([web([...current, { ...old, standing: "out" }])]);
    await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
    await stop(old);
    await hosts.make([web(current)]);
  }
}

/** Each of the tasks answered this client. */
function served(client: Ledger, tasks: readonly Endpoint[]): boolean {
  const names = new Set(client.entries.map(({ body }) => body?.split("\n")[0]));
  return tasks.every((task) => names.has(nameOf(task)));
}

function nameOf({ address, nodeId }: Endpoint): string {
  return `host=web-${address.split(".").at(-1)}-${nodeId}`;
}

describe("rolling updates under load", () => {
  test(`lose no new connection in ${REQUESTS} requests each, in which the old tasks served too`, async () => {
    const targets = hosts.names.map((name) => ({ address: lab.ip(name), port: PORT, host: lab.ip(name) }));
    await hosts.make([web(versionOf(0))]);
    for (const task of versionOf(0)) await start(task);
    for (let number = 1; number <= UPDATES; number++) {
      const clients = [new Ledger(), new Ledger()];
      for (const client of clients)
        for (const [at, target] of targets.entries()) {
          client.keepAsking(target, "kept", at === 0 ? 2 : 1);
          client.keepAsking(target, "new", 2);
        }
      const [old, next] = [versionOf(number - 1), versionOf(number)];
      await waitUntil("every old task served", 20_000, () => clients.every((client) => served(client, old)));
      await update(old, next);
      await waitUntil("enough was asked", 60_000, () =>
        clients.every((client) => client.entries.length >= REQUESTS / 2 && served(client, next)),
      );
      await Promise.all(clients.map((client) => client.stop()));
      const failures = clients.flatMap((client) => client.failures);
      const lost = failures.filter(({ isFirst }) => isFirst);
      const requests = clients.reduce((sum, client) => sum + client.entries.length, 0);
      const apart = clients.reduce((sum, client) => sum + client.endedKept, failures.length - lost.length);
      process.stdout.write(`update ${number}: ${requests} requests, ${apart} kept connections ended with their task\n`);
      expect(lost).toEqual([]);
      expect(requests).toBeGreaterThanOrEqual(REQUESTS);
    }
  }, 240_000);
});
