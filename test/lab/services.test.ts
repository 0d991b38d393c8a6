// Services on three real hosts, driven by the command line and checked on the engines: what a user does every day, and what goes wrong on such a day.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DeployView, EventView, ServiceDetailView } from "../../src/core/model/views.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { fetchPage, fetchTaskPage, LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3 });
});
afterAll(async () => {
  await cluster.down();
});

function stack(name: string): LabStack {
  return new LabStack(cluster, name);
}

const HTTP = { health: { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" } };

describe("everyday changes", () => {
  test("a stack of replicated and global services runs where the plan says, answers on its ports, and is removed without a trace", async () => {
    const shop = stack("day");
    await shop.mustDeploy({
      web: { image: shop.image("v1"), ports: ["8080:8080"], deploy: { replicas: 6 }, "x-davit": HTTP },
      api: { image: shop.image("v1"), ports: ["9000:8080"], deploy: { mode: "global" } },
    });
    const tasks = await shop.tasks("web");
    expect(new Set(tasks.map((task) => task.node)).size).toBe(3);
    for (const node of cluster.nodes) {
      const pages = [];
      for (let count = 0; count < 60; count++) pages.push(await fetchPage(cluster, node, 8080));
      const hosts = new Set(pages.map((page) => /host=(\w+)/.exec(page)?.[1]));
      expect(hosts.size, `${node} leads to all six`).toBe(6);
      expect(await fetchPage(cluster, node, 9000)).toContain("version=v1");
    }
    for (const node of cluster.nodes)
      for (const container of await lab.containers(node, "davit.stack=day"))
        expect(container.Ports.filter(({ PublicPort }) => PublicPort !== undefined)).toEqual([]);
    await shop.remove();
    for (const node of cluster.nodes) expect(await lab.containers(node, "davit.stack=day", true)).toEqual([]);
  });

  test("a deploy of the same file touches no container and emits no event", async () => {
    const shop = stack("same");
    const services = { web: { image: shop.image("v1"), deploy: { replicas: 2 } } };
    await shop.mustDeploy(services);
    const before = await shop.containers("web");
    const events = await lastSeq();
    const result = await shop.deploy(services, ["--json"]);
    expect((JSON.parse(result.stdout) as DeployView).steps.map((step) => step.kind)).not.toContain("update");
    expect(await shop.containers("web")).toEqual(before);
    expect((await eventsSince(events)).filter((event) => event.type.startsWith("service."))).toEqual([]);
    await shop.remove();
  });

  test("a dry run lists the events that the deploy then emits, and changes nothing itself", async () => {
    const shop = stack("dry");
    const services = { web: { image: shop.image("v1") }, db: { image: shop.image("v1"), volumes: ["data:/data"] } };
    const planned = JSON.parse((await shop.deploy(services, ["--dry-run", "--json"], ["data"])).stdout) as DeployView;
    const since = await lastSeq();
    expect(planned.steps.map((step) => step.kind)).toContain("create");
    await shop.mustDeploy(services, ["data"]);
    const emitted = (await eventsSince(since)).map((event) => `${event.type} ${event.subject.name}`);
    for (const step of planned.steps) {
      if (step.eventType !== undefined) expect(emitted).toContain(`${step.eventType} ${step.subject.name}`);
    }
    await shop.remove();
  });

  test("scaling, a rolling update and a rollback change what the pages say and leave other services alone", async () => {
    const shop = stack("roll");
    const other = { image: shop.image("v1") };
    const web = (tag: string) => ({
      image: shop.image(tag),
      ports: ["8100-8120:8080"],
      deploy: { replicas: 3, update_config: { order: "start-first" } },
      "x-davit": HTTP,
    });
    await shop.mustDeploy({ web: web("v1"), other });
    const before = await shop.containers("other");
    await cluster.coordinator.must(["service", "scale", "roll_web=5"]);
    expect((await shop.tasks("web")).length).toBe(5);
    await shop.mustDeploy({
      web: { ...web("v2"), deploy: { replicas: 5, update_config: { order: "start-first" } } },
      other,
    });
    expect(await versions(shop)).toEqual(["v2", "v2", "v2", "v2", "v2"]);
    await cluster.coordinator.must(["service", "rollback", "roll_web"]);
    expect(await versions(shop)).toEqual(["v1", "v1", "v1", "v1", "v1"]);
    expect(await shop.containers("other")).toEqual(before);
    const detail = await cluster.coordinator.get<ServiceDetailView>("/v1/services/roll_web");
    expect(detail.updateStatus?.state).toBe("rollback_completed");
    await shop.remove();
  });

  test("draining a node empties it, and activating it lets it have tasks again", async () => {
    const shop = stack("drain");
    await shop.mustDeploy({ web: { image: shop.image("v1"), deploy: { replicas: 3 } } });
    await cluster.coordinator.must(["node", "drain", "n2"]);
    expect((await shop.containers("web")).get("n2")).toEqual([]);
    expect([...(await shop.containers("web")).values()].flat().length).toBe(3);
    // a deploy while the node drains goes to the others
    await shop.mustDeploy({ web: { image: shop.image("v2"), deploy: { replicas: 4 } } });
    expect((await shop.containers("web")).get("n2")).toEqual([]);
    await cluster.coordinator.must(["node", "activate", "n2"]);
    await cluster.coordinator.must(["service", "scale", "drain_web=7"]);
    expect((await shop.containers("web")).get("n2")?.length).toBeGreaterThan(0);
    await shop.remove();
  });

  test("logs come from all replicas, exec runs in one and passes its exit code on", async () => {
    const shop = stack("logs");
    await shop.mustDeploy({ web: { image: shop.image("v1"), deploy: { replicas: 3 } } });
    const logs = await cluster.coordinator.must(["service", "logs", "logs_web"]);
    for (const slot of [1, 2, 3]) expect(logs).toContain(`logs_web.${slot}@`);
    const ran = await cluster.coordinator.cli([
      "service",
      "exec",
      "logs_web",
      "--",
      "sh",
      "-c",
      "echo out; echo err >&2; exit 7",
    ]);
    expect([ran.exitCode, ran.stdout.trim(), ran.stderr.trim()]).toEqual([7, "out", "err"]);
    const fed = await cluster.coordinator.cli(["service", "exec", "-i", "logs_web", "--", "cat"], { stdin: "hello" });
    expect(fed.stdout).toBe("hello");
    await shop.remove();
  });

  test("a container keeps its limits, environment, user and address, and its engine never restarts it by itself", async () => {
    const shop = stack("opts");
    await shop.mustDeploy({
      web: {
        image: shop.image("v1"),
        environment: { COLOUR: "blue" },
        mem_limit: "64m",
        cpus: "0.5",
        cap_drop: ["NET_RAW"],
        init: true,
        read_only: true,
        tmpfs: ["/scratch"],
      },
    });
    const [task] = await shop.tasks("web");
    const inspected = JSON.parse(await lab.on(task?.node ?? "", `docker inspect ${task?.containerId}`)) as readonly {
      readonly HostConfig: Readonly<Record<string, unknown>>;
      readonly Config: { readonly Env: readonly string[] };
      readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
    }[];
    const [container] = inspected;
    expect(container?.HostConfig).toMatchObject({
      Memory: 67_108_864,
      NanoCpus: 500_000_000,
      CapDrop: ["NET_RAW"],
      Init: true,
      ReadonlyRootfs: true,
      RestartPolicy: { Name: expect.stringMatching(/^(no)?$/) },
    });
    expect(container?.Config.Env).toContain("COLOUR=blue");
    expect(container?.NetworkSettings.Networks["davit0"]?.IPAddress).toBe(task?.address);
    await shop.remove();
  });
});

describe("what goes wrong with a service", () => {
  test("an image that does not exist is named with its node, and the command ends with an error", async () => {
    const shop = stack("noimage");
    const result = await shop.deploy({ web: { image: shop.image("nosuchtag") } }, ["--timeout", "8s"]);
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toMatch(/nosuchtag/);
    const [task] = await shop.tasks("web");
    expect(task?.reason).toMatch(/nosuchtag/);
    await shop.remove();
  });

  test("a container that exits at once is tried again with growing waits, with its exit code and last output kept", async () => {
    const shop = stack("exits");
    const result = await shop.deploy({ web: { image: shop.image("bad") } }, ["--timeout", "8s"]);
    expect(result.exitCode).not.toBe(0);
    const [task] = await shop.tasks("web");
    expect(task?.attempt).toBeGreaterThan(1);
    expect(task?.attempt).toBeLessThan(9);
    expect(`${task?.reason} ${task?.lastOutput}`).toMatch(/exit|bad/);
    await shop.remove();
  });

  test("an update that never becomes healthy pauses with the probe's answer, and the old tasks go on", async () => {
    const shop = stack("sick");
    const web = (tag: string) => ({
      image: shop.image(tag),
      deploy: { replicas: 2 },
      "x-davit": { health: { ...HTTP.health, retries: 2, start_period: "0s" } },
    });
    await shop.mustDeploy({ web: web("v1") });
    const result = await shop.deploy({ web: web("sick") }, ["--timeout", "60s"]);
    expect(result.exitCode).toBe(6);
    expect(result.stderr).toMatch(/500/);
    expect((await shop.containers("web")).size).toBe(3);
    const detail = await cluster.coordinator.get<ServiceDetailView>("/v1/services/sick_web");
    expect(detail.updateStatus?.state).toBe("paused");
    expect(detail.healthy).toBe(1);
    await shop.remove();
  });

  test("a failed update with failure action rollback goes back by itself", async () => {
    const shop = stack("back");
    const web = (tag: string) => ({
      image: shop.image(tag),
      deploy: { replicas: 2, update_config: { failure_action: "rollback", monitor: "1s" } },
    });
    await shop.mustDeploy({ web: web("v1") });
    await waitUntil("the first version is stable", 20_000, async () =>
      (await cluster.coordinator.get<ServiceDetailView>("/v1/services/back_web")).versions.some(
        (version) => version.stable,
      ),
    );
    const result = await shop.deploy({ web: web("bad") }, ["--timeout", "60s"]);
    expect(result.exitCode).toBe(6);
    expect(result.stderr).toContain("rolled back to version 1");
    expect([...(await shop.containers("web")).values()].flat().length).toBe(2);
    // what is asked for next is judged by itself
    await cluster.coordinator.must(["service", "scale", "back_web=3"]);
    await shop.remove();
  });

  test("a container that ignores SIGTERM is killed after its grace", async () => {
    const shop = stack("stubborn");
    await shop.mustDeploy({
      web: { image: shop.image("v1"), environment: { WEB_IGNORE_TERM: "1" }, stop_grace_period: "2s" },
    });
    const started = performance.now();
    await shop.remove();
    expect(performance.now() - started).toBeLessThan(15_000);
    for (const node of cluster.nodes) expect(await lab.containers(node, "davit.stack=stubborn", true)).toEqual([]);
  });

  test("a port that something else has on every host, 22 included, is refused with the reason, and the command ends", async () => {
    const shop = stack("port");
    const result = await shop.deploy({ web: { image: shop.image("v1"), ports: ["22:8080"] } }, ["--timeout", "30s"]);
    expect(result.exitCode).toBe(4);
    expect(result.stderr).toMatch(/port 22\/tcp is in use on n\d by \w+ \(pid \d+\)/);
    expect(result.stderr).toMatch(/stop what listens there on n\d and n\d and n\d/);
    const bound = { target: 8080, published: "22", mode: "host" };
    const held = await shop.deploy({ web: { image: shop.image("v1"), ports: [bound] } }, ["--timeout", "30s"]);
    expect(held.exitCode).toBe(6);
    expect(held.stderr).toMatch(/3 nodes have port 22\/tcp taken/);
    await shop.remove();
  });

  test("a port that one host listens on, be it on loopback only, is refused by that host's name; at an address it opens nothing else", async () => {
    const shop = stack("local");
    const listen = `my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 5432, Listen => 1) or die; sleep 600`;
    await lab.on("n2", `systemd-run --unit=squatter --quiet perl -MIO::Socket::INET -e '${listen}'`);
    await waitUntil("the coordinator knows who listens", 45_000, async () => {
      const refused = await shop.deploy({ web: { image: shop.image("v1"), ports: ["5432:8080"] } }, ["--dry-run"]);
      return refused.exitCode !== 0 && /port 5432\/tcp is in use on n2 by \w+/.test(refused.stderr);
    });
    await lab.on("n2", "systemctl stop squatter");
    await waitUntil("the port is free", 45_000, async () => {
      const allowed = await shop.deploy({ web: { image: shop.image("v1"), ports: ["127.0.0.1:5432:8080"] } }, [
        "--dry-run",
      ]);
      return allowed.exitCode === 0;
    });
    await shop.mustDeploy({ web: { image: shop.image("v1"), ports: ["127.0.0.1:5432:8080"], "x-davit": HTTP } });
    for (const node of cluster.nodes) {
      expect(await lab.on(node, "curl -sS --max-time 5 http://127.0.0.1:5432/")).toContain("version=v1");
      await expect(fetchPage(cluster, node, 5432)).rejects.toThrow("connect");
    }
    await shop.remove();
  });

  test("a service that fits nowhere says why by frequency, and runs once a node has what it asks for", async () => {
    const shop = stack("nowhere");
    const web = { image: shop.image("v1"), deploy: { placement: { constraints: ["node.labels.disk==ssd"] } } };
    const result = await shop.deploy({ web }, ["--timeout", "30s"]);
    expect(result.exitCode).toBe(6);
    expect(result.stderr).toContain("3 nodes lack label disk=ssd");
    await cluster.coordinator.must(["node", "label", "n3", "disk=ssd"]);
    await shop.untilRunning("web", 1, 10_000, ["n3"]);
    await shop.remove();
    await cluster.coordinator.must(["node", "label", "n3", "disk-"]);
  });

  test("of two deploys at once each is applied whole, and the last one is what runs", async () => {
    const shop = stack("twice");
    const results = await Promise.all(
      ["v1", "v2"].map((tag) =>
        shop.deploy({ web: { image: shop.image(tag), ports: ["8200-8220:8080"], deploy: { replicas: 2 } } }),
      ),
    );
    for (const result of results) expect([0, 4]).toContain(result.exitCode);
    await waitUntil("one version runs", 30_000, async () => {
      const tasks = await shop.tasks("web");
      return (
        tasks.length === 2 &&
        tasks.every((task) => task.state === "running") &&
        new Set(tasks.map((task) => task.image)).size === 1
      );
    });
    await shop.remove();
  });

  test("a wrong Compose file changes nothing and names every problem with its line", async () => {
    const result = await stack("wrong").deploy({ web: { imagee: "x", ports: ["99999:1"] } });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/did you mean image/);
    expect(result.stderr).toMatch(/99999:1/);
  });
});

async function versions(shop: LabStack): Promise<readonly string[]> {
  const tasks = await shop.tasks("web");
  const pages = await Promise.all(tasks.map((task) => fetchTaskPage(cluster, task)));
  return pages.map((page) => /version=(\w+)/.exec(page)?.[1] ?? page).sort();
}

async function eventsSince(seq: number): Promise<readonly EventView[]> {
  const text = await cluster.coordinator.must(["events", "--json", "--since", String(seq)]);
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as EventView);
}

async function lastSeq(): Promise<number> {
  return (await eventsSince(0)).at(-1)?.seq ?? 0;
}
