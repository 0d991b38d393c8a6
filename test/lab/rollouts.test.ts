// Changes of services on three real hosts: in batches, by canaries, blue-green, and back. In the middle of each the coordinator is killed, and
// the change goes on after its return. Pages and containers are asked of the hosts and engines themselves.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RolloutDetailView, RolloutView, VersionHistoryView } from "../../src/core/model/rollout-views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { fetchTaskPage, LabStack, type ServiceText } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
});
afterAll(async () => {
  await cluster.down();
});

const HTTP = { health: { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" } };
const REPLICAS = 3;

class Changing extends LabStack {
  readonly #policy: ServiceText;

  constructor(name: string, policy: ServiceText) {
    super(cluster, name);
    this.#policy = policy;
  }

  get web(): string {
    return `${this.name}_web`;
  }

  service(tag: string, delay = "0"): Readonly<Record<string, ServiceText>> {
    const { deploy = {}, update } = this.#policy as { deploy?: ServiceText; update?: ServiceText };
    return {
      web: {
        image: this.image(tag),
        ports: ["8200-8299:8080"],
        environment: { WEB_START_DELAY: delay },
        stop_grace_period: "1s",
        deploy: { replicas: REPLICAS, ...deploy },
        "x-davit": { ...HTTP, ...(update === undefined ? {} : { update }) },
      },
    };
  }

  async rollout(): Promise<RolloutView> {
    const { rollout } = await cluster.coordinator.get<RolloutDetailView>(`/v1/rollouts/${this.web}`);
    return rollout ?? expect.fail(`${this.web} has no rollout`);
  }

  untilState(state: RolloutView["state"], timeoutMs = 30_000): Promise<number> {
    return waitUntil(`the rollout of ${this.web} is ${state}`, timeoutMs, async () => {
      const { rollout } = await cluster.coordinator.get<RolloutDetailView>(`/v1/rollouts/${this.web}`);
      return rollout?.state === state;
    });
  }

  history(): Promise<readonly VersionHistoryView[]> {
    return cluster.coordinator.json(["rollout", "history", this.web]);
  }

  /** Ids of the containers that run, of all hosts. */
  async ids(): Promise<readonly string[]> {
    return [...(await this.containers("web")).values()].flat().sort();
  }

  /** What the pages of its live tasks say, sorted. */
  async pages(): Promise<readonly string[]> {
    const tasks = await this.tasks("web");
    const pages = tasks.map(async (task) => {
      const page = await fetchTaskPage(cluster, task);
      return /version=(\S+)/.exec(page)?.[1] ?? page;
    });
    return (await Promise.all(pages)).sort();
  }
}

/** As the end of its machine would, and then a new start on what is on its disk. */
async function killAndReturn(): Promise<void> {
  await cluster.coordinator.kill();
  await cluster.coordinator.start();
}

describe("an update in batches", () => {
  test("that the coordinator is killed in goes on, keeps its pause, and is in the history with who made it and what differs", async () => {
    const shop = new Changing("batches", { deploy: { update_config: { order: "start-first" } } });
    await shop.mustDeploy(shop.service("v1"));
    expect((await shop.deploy(shop.service("v2", "0.5"), ["--detach"])).exitCode).toBe(0);
    await shop.untilState("updating");
    await cluster.coordinator.must(["rollout", "pause", shop.web]);
    await shop.untilState("paused");
    const again = await cluster.coordinator.cli(["rollout", "pause", shop.web]);
    expect([again.exitCode, again.stderr]).toEqual([0, ""]);
    await killAndReturn();
    expect(await shop.rollout()).toMatchObject({ state: "paused", phase: "updating" });
    expect((await shop.tasks("web")).some((task) => task.specVersion === 1)).toBe(true);
    await cluster.coordinator.must(["rollout", "resume", shop.web]);
    expect(await shop.pages()).toEqual(["v2", "v2", "v2"]);
    await shop.untilState("completed");
    expect(await shop.history()).toMatchObject([
      { version: 2, isCurrent: true, stable: true, by: "socket", outcome: { state: "completed" } },
      { version: 1, isCurrent: false, by: "socket", reason: "created" },
    ]);
    const text = await cluster.coordinator.must(["rollout", "history", shop.web]);
    expect(text).toMatch(/\* 2 .*socket +stable +completed +image .*web:v1 → .*web:v2/);
    await shop.remove();
  });
});

describe("an update that stops the old task first", () => {
  test("and found no node starts nothing while it is paused, though room comes and the coordinator is killed, until it is resumed", async () => {
    const deploy = { replicas: 1, update_config: { order: "stop-first" } };
    const shop = new Changing("single", { deploy });
    await shop.mustDeploy(shop.service("v1"));
    const before = await shop.ids();
    const onSsd = new Changing("single", {
      deploy: { ...deploy, placement: { constraints: ["node.labels.disk==ssd"] } },
    });
    expect((await onSsd.deploy(onSsd.service("v2"), ["--detach"])).exitCode).toBe(0);
    const untilNewOne = (says: string): Promise<number> =>
      waitUntil(`the new task of ${shop.web} says "${says}"`, 20_000, async () =>
        (await shop.tasks("web")).some(({ specVersion, reason }) => specVersion === 2 && reason.includes(says)),
      );
    await untilNewOne("3 nodes lack label disk=ssd");
    await cluster.coordinator.must(["rollout", "pause", shop.web]);
    await shop.untilState("paused");
    await cluster.coordinator.must(["node", "label", "n2", "disk=ssd"]);
    await untilNewOne("stops first");
    await killAndReturn();
    await untilNewOne("stops first");
    expect(await shop.ids()).toEqual(before);
    await cluster.coordinator.must(["rollout", "resume", shop.web]);
    await shop.untilState("completed");
    expect(await shop.pages()).toEqual(["v2"]);
    expect((await shop.tasks("web")).map(({ node }) => node)).toEqual(["n2"]);
    await shop.remove();
  });
});

describe("failures", () => {
  /** Tasks of the first slots end at once, in every attempt. */
  const failing = (shop: Changing, tag: string, slots: number): Readonly<Record<string, ServiceText>> => ({
    web: {
      ...shop.service(tag)["web"],
      command: ["/bin/sh", "-c", 'test "$$SLOT" -gt "$$SLOTS" || exit 3; exec /bin/serve'],
      environment: { SLOT: "{{.Task.Slot}}", SLOTS: String(slots) },
    },
  });

  test("as few as max_failure_ratio bears hold up nobody, and one more ends the change, whatever becomes of the coordinator", async () => {
    const update_config = { order: "start-first", parallelism: 2, monitor: "2s", max_failure_ratio: 0.3 };
    const shop = new Changing("few", { deploy: { replicas: 4, update_config } });
    await shop.mustDeploy(shop.service("v1"));
    expect((await shop.deploy(failing(shop, "v2", 1), ["--detach"])).exitCode).toBe(0);
    await shop.untilState("updating");
    await killAndReturn();
    await shop.untilState("completed", 60_000);
    expect((await shop.rollout()).message).toBe("1 of 4 tasks is not healthy");
    const working = async (): Promise<readonly string[]> => {
      const tasks = (await shop.tasks("web")).filter((task) => task.healthy === true);
      return tasks.map(({ slot, specVersion }) => `${slot} v${specVersion}`).toSorted();
    };
    await waitUntil("the old task of the slot that fails works on, and no other", 30_000, async () => {
      return (await working()).join(", ") === "1 v1, 2 v2, 3 v2, 4 v2";
    });
    expect((await shop.deploy(failing(shop, "v3", 2), ["--detach"])).exitCode).toBe(0);
    await shop.untilState("paused", 60_000);
    const left = await working();
    expect(left).toEqual(expect.arrayContaining(["1 v1", "2 v2"]));
    expect(new Set(left.map((task) => task.split(" ")[0]))).toEqual(new Set(["1", "2", "3", "4"]));
    await shop.remove();
  });

  test("a change whose tasks never get healthy goes back when its progress deadline is over, and says for what it waited", async () => {
    const shop = new Changing("late", {
      deploy: { update_config: { order: "start-first", failure_action: "rollback" } },
      update: { progress_deadline: "10s" },
    });
    await shop.mustDeploy(shop.service("v1"));
    const before = await shop.ids();
    const { web } = shop.service("v2", "600");
    const health = { ...HTTP.health, start_period: "10m" };
    const slow = { web: { ...web, "x-davit": { health, update: { progress_deadline: "10s" } } } };
    expect((await shop.deploy(slow, ["--detach"])).exitCode).toBe(0);
    await shop.untilState("updating");
    await killAndReturn();
    await shop.untilState("rolled_back", 60_000);
    await shop.untilRunning("web", REPLICAS, 15_000);
    expect(await shop.ids()).toEqual(before);
    expect((await shop.history())[0]?.outcome?.message).toMatch(/no progress for 10 s: it waited for late_web\.1/);
    await shop.remove();
  });
});

describe("canaries", () => {
  test("run beside every old task while the coordinator is killed, until they are promoted", async () => {
    const shop = new Changing("canary", { update: { strategy: "canary", canaries: "34%", weight: 10 } });
    await shop.mustDeploy(shop.service("v1"));
    const before = await shop.ids();
    const early = await cluster.coordinator.cli(["rollout", "promote", shop.web]);
    expect([early.exitCode, early.stderr]).toMatchObject([4, expect.stringContaining("nothing of it is on trial")]);
    const deployed = await shop.deploy(shop.service("v2"));
    expect(deployed.exitCode).toBe(0);
    expect(deployed.stderr).toContain(`it waits to be promoted: davit rollout promote ${shop.web} goes on`);
    expect(await shop.pages()).toEqual(["v1", "v1", "v1", "v2"]);
    expect((await shop.tasks("web")).map((task) => task.weight).sort()).toEqual([10, 100, 100, 100]);
    const tried = await shop.ids();
    await killAndReturn();
    expect(await shop.rollout()).toMatchObject({ state: "trial", waitsForPromotion: true });
    expect(await shop.ids()).toEqual(tried);
    expect(before.every((id) => tried.includes(id))).toBe(true);
    await cluster.coordinator.must(["rollout", "promote", shop.web]);
    expect(await shop.pages()).toEqual(["v2", "v2", "v2"]);
    const canary = tried.filter((id) => !before.includes(id));
    expect(await shop.ids()).toEqual(expect.arrayContaining([...canary]));
    expect((await shop.tasks("web")).map((task) => task.weight)).toEqual([100, 100, 100]);
    await shop.remove();
  });

  test("that fail are gone by themselves, also when the coordinator is killed meanwhile, and no old container is touched", async () => {
    const shop = new Changing("falling", {
      deploy: { update_config: { failure_action: "rollback" } },
      update: { strategy: "canary", hold: "2s" },
    });
    await shop.mustDeploy(shop.service("v1"));
    const before = await shop.ids();
    // it is killed before the canary can have failed: its image answers 500, which three probes must have seen
    expect((await shop.deploy(shop.service("sick"), ["--detach"])).exitCode).toBe(0);
    await shop.untilState("trial");
    await killAndReturn();
    await shop.untilState("rolled_back");
    await shop.untilRunning("web", REPLICAS, 15_000);
    expect(await shop.ids()).toEqual(before);
    const [failed] = await shop.history();
    expect(failed).toMatchObject({ version: 2, isCurrent: false, stable: false, outcome: { state: "superseded" } });
    expect(failed?.outcome?.message).toContain("version 2 failed");
    await shop.remove();
  });
});

describe("a blue-green update", () => {
  test("that the coordinator is killed in switches at once, and goes back at once without a new container", async () => {
    const shop = new Changing("green", { update: { strategy: "blue-green", keep: "10m" } });
    await shop.mustDeploy(shop.service("v1"));
    const blue = await shop.ids();
    expect((await shop.deploy(shop.service("v2", "1"), ["--detach"])).exitCode).toBe(0);
    await shop.untilState("trial");
    await killAndReturn();
    await shop.untilState("switched");
    expect(await shop.pages()).toEqual(["v1", "v1", "v1", "v2", "v2", "v2"]);
    const weights = (await shop.tasks("web")).map((task) => `v${task.specVersion} ${task.weight}`).sort();
    expect(weights).toEqual(["v1 0", "v1 0", "v1 0", "v2 100", "v2 100", "v2 100"]);
    await killAndReturn();
    expect(await shop.ids()).toEqual(expect.arrayContaining([...blue]));
    const startedMs = performance.now();
    await cluster.coordinator.must(["rollout", "abort", shop.web]);
    const tookMs = performance.now() - startedMs;
    expect(await shop.ids()).toEqual(blue);
    expect((await shop.tasks("web")).map((task) => task.weight)).toEqual([100, 100, 100]);
    expect(tookMs).toBeLessThan(10_000);
    await shop.remove();
  });

  test("lets the old set go when its time is over, and is then the stable version", async () => {
    const shop = new Changing("kept", { update: { strategy: "blue-green", keep: "2s" } });
    await shop.mustDeploy(shop.service("v1"));
    const deployed = await shop.deploy(shop.service("v2"));
    expect([deployed.exitCode, deployed.stderr]).toMatchObject([0, expect.stringContaining("switched")]);
    await shop.untilState("completed");
    expect(await shop.pages()).toEqual(["v2", "v2", "v2"]);
    await shop.remove();
  });
});

describe("a rollback by hand", () => {
  test("that the coordinator is killed in ends at the version from before", async () => {
    const shop = new Changing("back", { update: { strategy: "canary", hold: "0s", parallelism: "34%" } });
    await shop.mustDeploy(shop.service("v1", "0.5"));
    await shop.mustDeploy(shop.service("v2", "0.5"));
    expect(await shop.pages()).toEqual(["v2", "v2", "v2"]);
    await cluster.coordinator.must(["service", "rollback", shop.web, "--detach"]);
    await waitUntil("the first task is back at version 1", 20_000, async () =>
      (await shop.tasks("web")).some((task) => task.specVersion === 1),
    );
    await killAndReturn();
    await shop.untilState("rolled_back", 60_000);
    expect(await shop.pages()).toEqual(["v1", "v1", "v1"]);
    const list = await cluster.coordinator.must(["rollout", "ls"]);
    expect(list).toMatch(new RegExp(`${shop.web} +v2 → v1 +rollback +rolled back`));
    await shop.remove();
  });
});
