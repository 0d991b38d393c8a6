// What happens to a cluster of three real hosts when something breaks: power, links, agents, engines, the coordinator itself. Each test
// asks the engines, not davit, whether containers were touched; each leaves the cluster whole for the next.

import { Database } from "bun:sqlite";
import { cpSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { NodeView, ServiceDetailView } from "../../src/core/model/views.ts";
import { type Cluster, CoordinatorProcess, joinNodes, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { mustRun } from "./run-command.ts";
import { LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
});
afterAll(async () => {
  await lab.heal();
  await cluster.down();
});
afterEach(async () => {
  await lab.heal();
  await allReady();
});

const REPLICAS = 6;

async function nodes(): Promise<ReadonlyMap<string, NodeView>> {
  return new Map(
    (await cluster.coordinator.json<readonly NodeView[]>(["node", "ls"])).map((node) => [node.name, node]),
  );
}

function allReady(): Promise<number> {
  return waitUntil("all nodes are ready", 120_000, async () => {
    const all = await nodes();
    return cluster.nodes.every((name) => all.get(name)?.presence === "ready");
  });
}

async function deployed(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<LabStack> {
  const stack = new LabStack(cluster, name);
  await stack.mustDeploy({
    web: { image: stack.image("v1"), stop_grace_period: "1s", deploy: { replicas: REPLICAS }, ...more },
  });
  return stack;
}

/** Drops packets inside a host, set from this machine, so that it works while the host cannot be reached. */
async function drop(host: string, ...rules: readonly string[]): Promise<void> {
  const chains = rules.map((rule, at) => `chain c${at} { type filter hook ${rule} }`);
  await inNetwork(host, `table ip testdrop {\n${chains.join("\n")}\n}\n`);
}

async function undrop(host: string): Promise<void> {
  await inNetwork(host, "delete table ip testdrop");
}

async function inNetwork(host: string, rules: string): Promise<void> {
  const pid = (await lab.run("pid", host)).trim();
  await mustRun(["nsenter", "-t", pid, "-n", "nft", "-f", "-"], { stdin: rules });
}

/** Nothing from this machine gets in; nothing to it gets out. */
const fromHere = () => `input priority 0; ip saddr ${lab.gateway} drop;`;
const toHere = () => `output priority 0; ip daddr ${lab.gateway} drop;`;

describe("a host is lost", () => {
  test.each([
    ["its power is pulled", () => lab.run("crash", "n2"), () => lab.start("n2")],
    ["its link is cut", () => lab.cut("n2", "all"), () => lab.heal()],
  ] as const)(
    "%s: its tasks are made elsewhere within 8 s and run there, no container of a healthy host is touched, and on return nothing restarts that need not",
    async (_what, lose, bringBack) => {
      const stack = await deployed("lost");
      const before = await stack.containers("web");
      await lose();
      const remade = await waitUntil("its tasks are made elsewhere", 60_000, async () => {
        const tasks = await stack.tasks("web");
        return tasks.filter(({ node }) => node === "n1" || node === "n3").length === REPLICAS;
      });
      expect(remade).toBeLessThan(8_000);
      // how fast an engine starts them is the machine's affair
      await stack.untilRunning("web", REPLICAS, 60_000, ["n1", "n3"]);
      const during = await stack.containers("web", ["n1", "n3"]);
      for (const node of ["n1", "n3"])
        expect(during.get(node)).toEqual(expect.arrayContaining([...(before.get(node) ?? [])]));
      expect((await nodes()).get("n2")?.presence).toBe("lost");
      expect((await nodes()).get("n2")?.message).not.toBe("");
      await bringBack();
      await allReady();
      await waitUntil("the extras have ended", 60_000, async () => (await stack.tasks("web")).length === REPLICAS);
      await stack.untilRunning("web", REPLICAS, 60_000);
      const after = await stack.containers("web");
      for (const node of ["n1", "n3"])
        expect(after.get(node)).toEqual(expect.arrayContaining([...(before.get(node) ?? [])]));
      await stack.remove();
    },
  );

  test("a task whose volume is on the lost host waits and says so, is started nowhere else, and has its data on return", async () => {
    const stack = new LabStack(cluster, "keep");
    await stack.mustDeploy({ store: { image: stack.image("v1"), volumes: ["data:/data"], stop_grace_period: "1s" } }, [
      "data",
    ]);
    const [task] = await stack.tasks("store");
    const home = task?.node ?? "";
    await cluster.coordinator.must(["service", "exec", "keep_store", "--", "sh", "-c", "echo precious > /data/file"]);
    await lab.run("crash", home);
    await waitUntil("the wait is explained", 60_000, async () =>
      (await stack.tasks("store")).some((one) => one.reason.includes(`its data is on ${home}, which is down`)),
    );
    for (const other of cluster.nodes.filter((node) => node !== home))
      expect(await lab.containers(other, "davit.service=keep_store", true)).toEqual([]);
    await lab.start(home);
    await allReady();
    await stack.untilRunning("store", 1, 60_000, [home]);
    expect(await cluster.coordinator.must(["service", "exec", "keep_store", "--", "cat", "/data/file"])).toBe(
      "precious",
    );
    await stack.remove();
  });

  test("when most hosts vanish at once nothing is replaced, and confirming one dead replaces its tasks", async () => {
    const stack = await deployed("valve");
    const before = await stack.containers("web", ["n1"]);
    await lab.cut("n2", "all");
    await lab.cut("n3", "all");
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(await stack.containers("web", ["n1"])).toEqual(before);
    expect([...(await nodes()).values()].map((node) => node.presence)).not.toContain("lost");
    await cluster.coordinator.must(["node", "confirm-dead", "n2"]);
    await waitUntil(
      "the dead one's tasks run on the one that is left",
      60_000,
      async () => ((await stack.containers("web", ["n1"])).get("n1")?.length ?? 0) > (before.get("n1")?.length ?? 0),
    );
    await lab.heal();
    await cluster.coordinator.must(["node", "activate", "n2"]);
    await allReady();
    await stack.untilRunning("web", REPLICAS, 60_000);
    await stack.remove();
  });
});

describe("a link is bad", () => {
  test("a host that only another host reaches is connected through it, not lost, and keeps its tasks", async () => {
    const stack = await deployed("via");
    const before = await stack.containers("web");
    await drop("n2", fromHere(), toHere());
    for (let second = 0; second < 14; second++) {
      expect((await nodes()).get("n2")?.presence).not.toBe("lost");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    expect((await nodes()).get("n2")?.presence).toBe("ready");
    await undrop("n2");
    await allReady();
    expect(await stack.containers("web")).toEqual(before);
    await stack.remove();
  });

  test("a link that is cut in one direction only does not keep a lease alive", async () => {
    const stack = await deployed("oneway");
    await lab.cut("n2");
    await drop("n2", toHere());
    await waitUntil("n2 is lost", 60_000, async () => (await nodes()).get("n2")?.presence === "lost");
    await stack.untilRunning("web", REPLICAS, 60_000, ["n1", "n3"]);
    await undrop("n2");
    await lab.heal();
    await allReady();
    expect((await stack.tasks("web")).length).toBeGreaterThanOrEqual(REPLICAS);
    await stack.remove();
  });

  test("a link that loses a tenth of its packets loses no node", async () => {
    const stack = await deployed("lossy");
    const before = await stack.containers("web");
    await lab.loss("n3", 5);
    for (let second = 0; second < 15; second++) {
      expect((await nodes()).get("n3")?.presence).not.toBe("lost");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    await lab.heal();
    expect(await stack.containers("web")).toEqual(before);
    await stack.remove();
  });
});

describe("something on a host dies", () => {
  test("an agent that is killed comes back and adopts its containers without touching one", async () => {
    const stack = await deployed("agent");
    const before = await stack.containers("web");
    await lab.on("n2", "systemctl kill -s KILL davit-agent");
    await waitUntil(
      "the agent is back",
      60_000,
      async () => (await lab.ssh("n2", "systemctl is-active davit-agent")).stdout.trim() === "active",
    );
    await allReady();
    expect(await stack.containers("web")).toEqual(before);
    expect((await stack.tasks("web")).every((task) => task.attempt === 1)).toBe(true);
    await stack.remove();
  });

  test("an engine that is restarted has its tasks running again on the same node", async () => {
    const stack = await deployed("engine");
    const homes = (await stack.tasks("web")).map((task) => `${task.id} ${task.node}`).sort();
    await lab.on("n2", "systemctl restart docker");
    await stack.untilRunning("web", REPLICAS, 60_000);
    await waitUntil("all are running", 60_000, async () =>
      (await stack.tasks("web")).every((task) => task.state === "running"),
    );
    expect((await stack.tasks("web")).map((task) => `${task.id} ${task.node}`).sort()).toEqual(homes);
    await stack.remove();
  });

  test("a container that somebody kills gets a new attempt on its node", async () => {
    const stack = await deployed("killed");
    const [task] = await stack.tasks("web");
    await lab.on(task?.node ?? "", `docker kill ${task?.containerId}`);
    await waitUntil("a second attempt runs", 60_000, async () =>
      (await stack.tasks("web")).some((one) => one.id === task?.id && one.attempt === 2 && one.state === "running"),
    );
    expect((await stack.tasks("web")).length).toBe(REPLICAS);
    await stack.remove();
  });

  test("a host that reboots while the coordinator is away starts its tasks by itself", async () => {
    const stack = await deployed("reboot");
    const [home = "n1", containers = []] = [...(await stack.containers("web"))].find(([, ids]) => ids.length > 0) ?? [];
    expect(containers.length).toBeGreaterThan(0);
    await cluster.coordinator.stop();
    await lab.run("reboot", home);
    await lab.wait(home);
    await stack.untilRunning("web", containers.length, 60_000, [home]);
    await cluster.coordinator.start();
    await allReady();
    await stack.untilRunning("web", REPLICAS, 60_000);
    await stack.remove();
  });
});

describe("the coordinator dies", () => {
  test("its restart alone restarts nothing, replaces nothing", async () => {
    const stack = await deployed("again");
    const before = await stack.containers("web");
    await cluster.coordinator.kill();
    await cluster.coordinator.start();
    await allReady();
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(await stack.containers("web")).toEqual(before);
    await stack.remove();
  });

  test("a rollout that it was killed in goes on after its return, and ends", async () => {
    const stack = await deployed("half", { environment: { WEB_START_DELAY: "1" } });
    const next = await stack.deploy(
      {
        web: {
          image: stack.image("v2"),
          stop_grace_period: "1s",
          environment: { WEB_START_DELAY: "1" },
          deploy: { replicas: REPLICAS },
        },
      },
      ["--detach"],
    );
    expect(next.exitCode).toBe(0);
    await waitUntil("the rollout has begun", 60_000, async () =>
      (await stack.tasks("web")).some((task) => task.specVersion === 2 && task.state === "running"),
    );
    await cluster.coordinator.kill();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await cluster.coordinator.start();
    await waitUntil("all tasks are of the new version", 60_000, async () => {
      const tasks = await stack.tasks("web");
      return tasks.length === REPLICAS && tasks.every((task) => task.specVersion === 2 && task.state === "running");
    });
    await waitUntil(
      "the rollout is completed",
      60_000,
      async () =>
        (await cluster.coordinator.get<ServiceDetailView>("/v1/services/half_web")).updateStatus?.state === "completed",
    );
    await stack.remove();
  });

  test("an old copy of its data started beside the new is refused by the nodes and ends with forked_history", async () => {
    const stack = await deployed("fork");
    const before = await stack.containers("web");
    const copy = `${cluster.coordinator.dataDir}-copy`;
    await cluster.coordinator.stop();
    cpSync(cluster.coordinator.dataDir, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    await cluster.coordinator.start();
    await allReady();
    const impostor = new CoordinatorProcess(copy);
    impostor.spawn();
    expect(await impostor.ended(20_000)).not.toBe(0);
    expect(impostor.log).toMatch(/refuses this coordinator/);
    rmSync(copy, { recursive: true, force: true });
    await allReady();
    expect(await stack.containers("web")).toEqual(before);
    await stack.remove();
  });
});

describe("keys", () => {
  test("a month-old signing key is replaced while everything runs: sessions go on, calls are signed anew, nothing restarts", async () => {
    const stack = await deployed("keys");
    const before = await stack.containers("web");
    await cluster.coordinator.stop();
    const database = new Database(`${cluster.coordinator.dataDir}/davit.db`);
    database.exec("UPDATE issuer_key SET record = json_set(record, '$.createdAtMs', 1)");
    database.close();
    await cluster.coordinator.start();
    await waitUntil("the keys are rotated", 60_000, () => cluster.coordinator.log.includes("keys were rotated"));
    await allReady();
    expect(await cluster.coordinator.must(["service", "exec", "keys_web", "--", "echo", "signed"])).toBe("signed");
    expect(await stack.containers("web")).toEqual(before);
    await stack.remove();
  });
});

describe("a node is removed", () => {
  test("in the middle of a rollout: the rollout ends on the others, the host is cleaned, Docker stays, and it can join again", async () => {
    const stack = await deployed("leave");
    await stack.deploy({ web: { image: stack.image("v2"), stop_grace_period: "1s", deploy: { replicas: REPLICAS } } }, [
      "--detach",
    ]);
    await cluster.coordinator.must(["node", "rm", "n3", "--force"]);
    await waitUntil("all run on the others", 60_000, async () => {
      const tasks = await stack.tasks("web");
      return (
        tasks.length === REPLICAS &&
        tasks.every((task) => task.specVersion === 2 && task.state === "running" && task.node !== "n3")
      );
    });
    expect(await lab.containers("n3", "davit.service", true)).toEqual([]);
    expect(
      await lab.on(
        "n3",
        "systemctl is-active docker; test ! -e /etc/davit && test ! -e /usr/local/lib/davit && echo clean",
      ),
    ).toBe("active\nclean");
    await stack.remove();
    await joinNodes(lab, cluster.coordinator, ["n3"]);
  });
});
