// What moves tasks for other reasons than a new image, on real hosts: order of starting, limits in the running container, draining, evening out,
// each with the coordinator killed in the middle where something is under way.

import type { RebalanceView } from "../../src/core/model/rebalance-views.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NodeView, ServiceDetailView, ServiceExplainView, TaskView } from "../../src/core/model/views.ts";
import { type Cluster, joinNodes, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;
const NODES = ["n1", "n2", "n3"];
/** Running, but healthy only two seconds later: what is done one after the other can be watched and cut. */
const SLOW = { stop_grace_period: "1s", "x-davit": { settle: "2s" } };

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 2 });
});
afterAll(async () => {
  await cluster.down();
});

function healthy(tasks: readonly TaskView[]): number {
  return tasks.filter((task) => task.healthy === true && task.state === "running" && task.desired === "running").length;
}

/** On their way up. What its successor has replaced may still be stopping meanwhile. */
function rising(tasks: readonly TaskView[]): number {
  return tasks.filter((task) => task.desired === "running" && task.healthy !== true).length;
}

/** The coordinator's machine loses its power for a moment. */
async function killCoordinator(): Promise<void> {
  await cluster.coordinator.kill();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await cluster.coordinator.start();
}

test("a service starts after the first healthy task of what it depends on, and after a job that succeeded", async () => {
  const stack = new LabStack(cluster, "order");
  const image = stack.image("v1");
  await stack.mustDeploy({
    web: {
      image,
      depends_on: { db: { condition: "service_healthy" }, seed: { condition: "service_completed_successfully" } },
    },
    seed: { image, entrypoint: ["sleep", "1"], depends_on: ["db"], "x-davit": { job: {} } },
    db: { image, ...SLOW },
  });
  const started = async (service: string): Promise<number> => {
    const label = `davit.service=order_${service}`;
    const times = await Promise.all(
      cluster.nodes.map((node) =>
        lab.on(
          node,
          `docker ps -aq --filter label=${label} | xargs -r docker inspect -f '{{.State.StartedAt}} {{.State.FinishedAt}}'`,
        ),
      ),
    );
    return Date.parse(times.join("").split(" ")[0] ?? "");
  };
  const [db, seed, web] = await Promise.all([started("db"), started("seed"), started("web")]);
  expect(seed).toBeGreaterThan(db);
  expect(web - seed).toBeGreaterThanOrEqual(1_000);
  expect(web - db).toBeGreaterThanOrEqual(2_000);
  await stack.remove();
});

test("limits change in the running container, and go back by a rollback", async () => {
  const stack = new LabStack(cluster, "size");
  const web = (cpus: string, memory: string) => ({
    image: stack.image("v1"),
    deploy: { replicas: 2, resources: { limits: { cpus, memory } } },
  });
  await stack.mustDeploy({ web: web("0.50", "64M") });
  const before = await stack.containers("web");
  const [node = ""] = [...before].find(([, ids]) => ids.length > 0) ?? [];
  const id = before.get(node)?.[0] ?? "";
  const limits = async (): Promise<string> => {
    const look = [
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
      "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max",
    ].join("; ");
    return (await lab.on(node, `docker exec ${id} sh -c "${look}"`)).split("\n").join(" ");
  };
  expect(await limits()).toBe("67108864 50000");
  await stack.mustDeploy({ web: web("0.75", "96M") });
  expect(await stack.containers("web")).toEqual(before);
  expect(await limits()).toBe("100663296 75000");
  const service = await cluster.coordinator.get<ServiceDetailView>("/v1/services/size_web");
  expect(service.tasks.map(({ specVersion }) => specVersion)).toEqual([2, 2]);
  await cluster.coordinator.must(["service", "rollback", "size_web"]);
  expect(await stack.containers("web")).toEqual(before);
  expect(await limits()).toBe("67108864 50000");
  await stack.remove();
});

test("devices that are given out by their ids are in one container each, and the next task finds none left", async () => {
  await lab.on("n1", "mknod -m 666 /dev/davit-a c 1 5; mknod -m 666 /dev/davit-b c 1 5");
  await cluster.coordinator.must(["node", "update", "n1", "--generic", "zero=/dev/davit-a,/dev/davit-b"]);
  const stack = new LabStack(cluster, "devices");
  const reservations = { generic_resources: [{ discrete_resource_spec: { kind: "zero", value: 1 } }] };
  const web = (replicas: number) => ({ image: stack.image("v1"), deploy: { replicas, resources: { reservations } } });
  await stack.mustDeploy({ web: web(2) });
  const seen: string[] = [];
  for (const { Id } of await lab.containers("n1", "davit.service=devices_web"))
    seen.push(
      await lab.on(
        "n1",
        `docker exec ${Id} sh -c 'echo $DOCKER_RESOURCE_ZERO; ls /dev/davit-*; head -c 3 /dev/davit-* | wc -c'`,
      ),
    );
  expect(seen.toSorted()).toEqual(["/dev/davit-a\n/dev/davit-a\n3", "/dev/davit-b\n/dev/davit-b\n3"]);
  const third = await stack.deploy({ web: web(3) });
  expect(third.exitCode).toBe(6);
  expect(third.stderr).toContain("devices_web.3: 2 nodes lack 1 zero");
  await stack.remove();
  await cluster.coordinator.must(["node", "update", "n1", "--generic", "zero-"]);
});

test("draining moves one task of a service at a time and never drops below health, though the coordinator is killed in the middle", async () => {
  const stack = new LabStack(cluster, "leave");
  await stack.mustDeploy({ web: { image: stack.image("v1"), deploy: { replicas: 6 }, ...SLOW } });
  await cluster.coordinator.must(["node", "drain", "n1", "--detach"]);
  await waitUntil("one has moved", 20_000, async () => (await stack.containers("web")).get("n1")?.length === 2);
  const left = (await stack.tasks("web")).filter((task) => task.node === "n1");
  expect(left.some(({ reason }) => reason.startsWith("n1 is draining; it moves later"))).toBe(true);
  await killCoordinator();
  const seen: number[] = [];
  await waitUntil("n1 is empty", 60_000, async () => {
    const tasks = await stack.tasks("web");
    seen.push(healthy(tasks));
    expect(rising(tasks)).toBeLessThanOrEqual(1);
    return (await stack.containers("web")).get("n1")?.length === 0;
  });
  expect(Math.min(...seen)).toBe(6);
  expect((await stack.containers("web")).get("n2")).toHaveLength(6);
  const explained = await cluster.coordinator.json<ServiceExplainView>(["service", "explain", "leave_web"]);
  expect(explained.nodes.map(({ node, takes, reason }) => [node, takes, reason])).toEqual([
    ["n2", true, ""],
    ["n1", false, "is draining"],
  ]);
  await cluster.coordinator.must(["node", "activate", "n1"]);
  await stack.remove();
});

test("a rebalance after a node joined moves what its plan says and nothing else, though the coordinator is killed in the middle", async () => {
  const stack = new LabStack(cluster, "even");
  await stack.mustDeploy({ web: { image: stack.image("v1"), deploy: { replicas: 6 }, ...SLOW } });
  await lab.add("n3", "ready");
  await lab.localApt("n3");
  await joinNodes(lab, cluster.coordinator, ["n3"]);
  const before = await stack.tasks("web");
  const plan = await cluster.coordinator.json<RebalanceView>(["rebalance", "--dry-run"]);
  expect(plan.moves.map(({ to }) => to)).toEqual(["n3", "n3"]);
  expect(await stack.tasks("web")).toHaveLength(6);
  await cluster.coordinator.must(["rebalance", "--yes", "--detach"]);
  await waitUntil("one has moved", 20_000, async () => (await stack.containers("web", ["n3"])).get("n3")?.length === 1);
  await killCoordinator();
  const seen: number[] = [];
  await waitUntil("the load is even", 60_000, async () => {
    seen.push(healthy(await stack.tasks("web")));
    const counts = await Promise.all(
      NODES.map(async (node) => (await stack.containers("web", [node])).get(node)?.length),
    );
    return counts.every((count) => count === 2);
  });
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(6);
  const moved = new Set(plan.moves.map(({ taskId }) => taskId));
  const stayed = before.filter(({ id }) => !moved.has(id)).map(({ id }) => id);
  await waitUntil("the moves are over", 20_000, async () => (await stack.tasks("web")).length === 6);
  expect((await stack.tasks("web")).filter(({ id }) => stayed.includes(id))).toHaveLength(4);
  expect(await cluster.coordinator.must(["rebalance", "--yes"])).toContain("nothing to move");
  await stack.remove();
});

// last: the planner keeps off a host that was lost a moment ago
test("a task whose service gives a lost host time is made elsewhere after it, not before", async () => {
  const stack = new LabStack(cluster, "patient");
  await stack.mustDeploy({ web: { image: stack.image("v1"), "x-davit": { replace_after: "20s" } } });
  const [task] = await stack.tasks("web");
  const home = task?.node ?? "";
  await lab.run("crash", home);
  const nodeOf = async (): Promise<NodeView | undefined> =>
    (await cluster.coordinator.json<readonly NodeView[]>(["node", "ls"])).find(({ name }) => name === home);
  await waitUntil("the host is lost", 60_000, async () => (await nodeOf())?.presence === "lost");
  const lostAt = performance.now();
  expect((await stack.tasks("web")).map(({ id }) => id)).toEqual([task?.id]);
  await waitUntil("it is made elsewhere", 60_000, async () =>
    (await stack.tasks("web")).some(({ node }) => node !== undefined && node !== home),
  );
  // of the twenty seconds some had passed in silence before it was called lost
  expect(performance.now() - lostAt).toBeGreaterThan(10_000);
  await stack.remove();
});
