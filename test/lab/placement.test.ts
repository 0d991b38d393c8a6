// Where tasks go and who gives way to whom, asked of the engines of real hosts: preferences, companions, limits for each node, priority.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
  for (const node of cluster.nodes) {
    const rack = node === "n3" ? "b" : "a";
    await cluster.coordinator.must(["node", "label", node, `rack=${rack}`]);
  }
});
afterAll(async () => {
  await cluster.down();
});

/** How many containers of a service each host runs, in the order of the hosts. */
async function counts(stack: LabStack, service: string): Promise<readonly number[]> {
  const found = await stack.containers(service);
  return cluster.nodes.map((node) => found.get(node)?.length ?? 0);
}

test("tasks are spread over racks before hosts, packed when asked to be, and no more on one host than it may have", async () => {
  const stack = new LabStack(cluster, "where");
  const image = stack.image("v1");
  await stack.mustDeploy({
    racks: { image, deploy: { replicas: 4, placement: { preferences: [{ spread: "node.labels.rack" }] } } },
    few: { image, deploy: { replicas: 3, placement: { max_replicas_per_node: 1 } } },
    packed: { image, deploy: { replicas: 3 }, "x-davit": { strategy: "binpack" } },
  });
  expect(await counts(stack, "racks")).toEqual([1, 1, 2]);
  expect(await counts(stack, "few")).toEqual([1, 1, 1]);
  expect((await counts(stack, "packed")).toSorted()).toEqual([0, 0, 3]);
  const said = await stack.deploy({ few: { image, deploy: { replicas: 4, placement: { max_replicas_per_node: 1 } } } });
  expect(said.exitCode).toBe(6);
  expect(said.stderr).toContain("3 nodes have their maximum of 1 of the service");
  await stack.remove();
});

test("tasks go where their companions are, and keep away from those that they must not be beside", async () => {
  const stack = new LabStack(cluster, "beside");
  const image = stack.image("v1");
  await stack.mustDeploy({
    db: { image, deploy: { placement: { constraints: ["node.hostname == n2"] } } },
    cache: { image, deploy: { replicas: 2 }, "x-davit": { affinity: [{ service: "db", required: true }] } },
    backup: { image, deploy: { replicas: 3 }, "x-davit": { anti_affinity: [{ service: "db", required: true }] } },
    web: { image, deploy: { replicas: 3 } },
    helper: { image, deploy: { replicas: 3 }, "x-davit": { with: "web" } },
  });
  expect(await counts(stack, "cache")).toEqual([0, 2, 0]);
  // it is placed before db, and would be spread over all three
  const backups = await counts(stack, "backup");
  expect([backups[1], (backups[0] ?? 0) + (backups[2] ?? 0)]).toEqual([0, 3]);
  const homes = async (service: string): Promise<readonly unknown[]> =>
    (await stack.tasks(service)).map(({ slot, node }) => [slot, node]).toSorted();
  expect(await homes("helper")).toEqual(await homes("web"));
  await stack.remove();
});

test("a task of higher priority takes the place of a lower one, which waits, says for what, and comes back", async () => {
  const stack = new LabStack(cluster, "first");
  await cluster.coordinator.must(["node", "update", "n1", "--generic", "licence=1"]);
  const deploy = {
    resources: { reservations: { generic_resources: [{ discrete_resource_spec: { kind: "licence", value: 1 } }] } },
  };
  const batch = { image: stack.image("v1"), deploy, stop_grace_period: "1s" };
  const shop = { ...batch, "x-davit": { priority: 100, preempt: true } };
  await stack.mustDeploy({ batch });
  const said = await stack.deploy({ batch, shop }, ["--detach"]);
  expect(said.exitCode).toBe(0);
  await stack.untilRunning("shop", 1, 60_000, ["n1"]);
  await stack.untilRunning("batch", 0, 30_000);
  expect(await cluster.coordinator.must(["service", "explain", "first_batch"])).toContain("licence");
  await cluster.coordinator.must(["service", "rm", "first_shop"]);
  await stack.untilRunning("batch", 1, 60_000, ["n1"]);
  await stack.remove();
});

test("a restart makes every task anew, one after the other, and none of another service", async () => {
  const stack = new LabStack(cluster, "again");
  const image = stack.image("v1");
  await stack.mustDeploy({ web: { image, deploy: { replicas: 2 }, stop_grace_period: "1s" }, other: { image } });
  const idsOf = async (service: string) => [...(await stack.containers(service)).values()].flat();
  const [web, other] = [await idsOf("web"), await idsOf("other")];
  await cluster.coordinator.must(["service", "restart", "again_web"], { timeoutMs: 120_000 });
  await waitUntil("the old ones are gone", 30_000, async () => {
    const now = await idsOf("web");
    return now.length === 2 && !now.some((id) => web.includes(id));
  });
  expect(await idsOf("other")).toEqual(other);
  await stack.remove();
});

test("an engine's own labels say where tasks go, also those that it is given while it runs", async () => {
  const stack = new LabStack(cluster, "engines");
  const labelled = (labels: readonly string[]): Promise<string> =>
    lab.on("n3", `printf %s '${JSON.stringify({ labels })}' > /etc/docker/daemon.json && systemctl reload docker`);
  await labelled(["speed=fast"]);
  const constraints = ["engine.labels.speed == fast"];
  const service = { image: stack.image("v1"), deploy: { replicas: 2, placement: { constraints } } };
  expect((await stack.deploy({ web: service }, ["--detach"])).exitCode).toBe(0);
  await stack.untilRunning("web", 2, 90_000, ["n3"]);
  expect(await counts(stack, "web")).toEqual([0, 0, 2]);
  await labelled([]);
  await waitUntil("the engine without the label has none of them", 90_000, async () => {
    const [task] = await stack.tasks("web");
    return (await counts(stack, "web")).every((count) => count === 0) && task?.reason.includes("speed=fast") === true;
  });
  await stack.remove();
});
