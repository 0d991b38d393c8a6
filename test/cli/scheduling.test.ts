// What the command line says about where tasks go, and what it does to move them.

import { describe, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import { serve, type Serving, until } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Harness, type HarnessOptions } from "./harness.ts";

const SHOP = stackOf("shop", [
  serviceOf("shop", "web"),
  serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }),
]);

/** A shop that runs on n1. */
async function shop(options: HarnessOptions = {}): Promise<Serving & { readonly cli: Harness }> {
  const serving = await serve();
  serving.backend.model.node("n1");
  await serving.client.deploy(SHOP);
  serving.backend.run(20_000);
  return { ...serving, cli: new Harness({ client: serving.client, nowMs: serving.backend.nowMs(), ...options }) };
}

/** Deploys ml_train, three tasks of which each wants a gpu, and gives them as they are a moment later. */
async function trainOnGpus({ backend, client }: Pick<Serving, "backend" | "client">) {
  const reservations = { cpus: 0, memoryBytes: 0, generic: { gpu: 1 } };
  const limits = { cpus: 0, memoryBytes: 0, pids: 0 };
  const ml = serviceOf("ml", "train", { replicas: 3, template: { resources: { limits, reservations } } });
  await client.deploy(stackOf("ml", [ml]));
  backend.run(3_000);
  return await client.serviceTasks("ml_train");
}

describe("scheduling", () => {
  test("explain says where one more task would go, and for one that waits what each node lacks", async () => {
    const { cli, backend, client } = await shop();
    backend.model.node("n2", { disk: "ssd" });
    expect(await cli.run("service", "explain", "shop_web")).toBe(0);
    expect(cli.stdout).toMatch(/^one more task of shop_web would go to n2$/m);
    expect(cli.stdout).toMatch(/^n2 +0 +takes it, rank 1 +failed there 0, tasks of the same version 0, /m);
    expect(cli.stdout).toMatch(/^n1 +2 +takes it, rank 2 +failed there 0, tasks of the same version 2, /m);
    backend.model.availability(asId("n1"), "pause");
    backend.model.lose(asId("n2"));
    await client.scale("shop_web", 4);
    backend.run(1_000);
    cli.stdout = "";
    expect(await cli.run("service", "explain", "shop_web")).toBe(0);
    expect(cli.stdout).toMatch(/^shop_web\.3 waits: 1 node is down; 1 node is paused$/m);
    expect(cli.stdout).toMatch(/^ {2}2 wait: 1 node is down; 1 node is paused \(shop_web\.3, shop_web\.4\)$/m);
    expect(cli.stdout).toMatch(/^n1 +2 +is paused$/m);
    expect(cli.stdout).toMatch(/^n2 +0 +is down$/m);
  });

  test("a restart makes new tasks of the same version, one after the other", async () => {
    const { cli, backend, client } = await shop();
    const before = (await client.serviceTasks("shop_web")).map(({ id }) => id);
    expect(await cli.run("service", "restart", "shop_web", "--detach")).toBe(0);
    expect(cli.stdout).toBe("shop_web restarts\n");
    backend.run(1_000);
    expect((await client.serviceTasks("shop_web")).filter(({ id }) => before.includes(id))).toHaveLength(1);
    backend.run(20_000);
    const after = await client.service("shop_web");
    expect([after.version, after.healthy]).toEqual([1, 2]);
    expect(after.tasks.filter(({ id }) => before.includes(id))).toEqual([]);
    expect(backend.history.some(({ type }) => type === "service.restarted")).toBe(true);
  });

  test("a drain with a deadline says so, and names what fits nowhere else", async () => {
    const { backend, client, cli } = await shop({ passes: () => false });
    const done = cli.run("node", "drain", "n1", "--deadline", "30s");
    await until(() => cli.stderr.includes("3 tasks left"));
    expect(await client.node("n1")).toMatchObject({ availability: "drain", drainUntil: expect.any(String) });
    backend.run(20_000);
    expect((await client.nodeTasks("n1")).filter(({ desired }) => desired === "running")).toHaveLength(3);
    backend.run(30_000);
    cli.elapse(300);
    expect(await done).toBe(0);
    expect(cli.stdout).toBe("n1 is empty\n");
    expect(cli.stderr).toContain("shop_web.1 has no other node: 1 node is draining\n");
    await client.updateNode("n1", { availability: "active" });
    expect("drainUntil" in (await client.node("n1"))).toBe(false);
    await expect(client.updateNode("n1", { drainDeadlineMs: 1_000 })).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("named resources of a node are set, shown, counted, told to the container and taken away", async () => {
    const { backend, client, cli } = await shop();
    expect(await cli.run("node", "update", "n1", "--generic", "gpu=2")).toBe(0);
    expect(cli.stdout).toContain("n1 is at 10.0.0.11 and has gpu=2\n");
    const tasks = await trainOnGpus({ backend, client });
    expect(tasks.map(({ node, reason }) => node ?? reason).sort()).toEqual(["1 node lacks 1 gpu", "n1", "n1"]);
    expect((await client.node("n1")).reservedByTasks.generic).toEqual({ gpu: 2 });
    expect(await cli.run("node", "update", "n1", "--generic", "gpu=")).toBe(2);
    expect(cli.stderr).toContain("'gpu=' is not a number of something");
    await expect(client.updateNode("n1", { generic: { "a b": 1 } })).rejects.toMatchObject({ code: "invalid_input" });
    expect(await cli.run("node", "update", "n1", "--generic", "gpu-")).toBe(0);
    expect((await client.node("n1")).resources.generic).toEqual({});
  });

  test("named resources with ids are given to tasks one by one, and shown", async () => {
    const { backend, client, cli } = await shop();
    expect(await cli.run("node", "update", "n1", "--generic", "gpu=GPU-a,GPU-b")).toBe(0);
    expect(cli.stdout).toContain("n1 is at 10.0.0.11 and has gpu=GPU-a,GPU-b\n");
    const tasks = await trainOnGpus({ backend, client });
    expect(
      tasks
        .map(({ generic, reason }) => generic ?? reason)
        .map(String)
        .sort(),
    ).toHaveLength(3);
    expect(tasks.flatMap(({ generic }) => generic?.["gpu"] ?? []).sort()).toEqual(["GPU-a", "GPU-b"]);
    expect(await client.node("n1")).toMatchObject({
      resources: { generic: { gpu: 2 } },
      genericIds: { gpu: ["GPU-a", "GPU-b"] },
    });
    await expect(client.updateNode("n1", { generic: { gpu: ["a", "a"] } })).rejects.toThrow("or is there twice");
    await expect(client.updateNode("n1", { generic: { gpu: ["a b"] } })).rejects.toThrow("is no id of a gpu");
  });

  test("a rebalance shows its plan, asks, and moves what was agreed to", async () => {
    const { backend, cli, client } = await shop({ answers: ["no", "y"] });
    backend.model.node("n2");
    expect(await cli.run("rebalance", "--dry-run")).toBe(0);
    expect(cli.stdout).toMatch(/^shop_web\.1 +n1 +n2 +tasks of the same version: 1 beside it on n1, 0 on n2$/m);
    expect(cli.stdout).toContain("shop_store stays: its volume shop_data is on one node's disk\n");
    expect(await cli.run("rebalance")).toBe(0);
    expect(cli.stderr).toContain("nothing was moved\n");
    expect(await cli.run("rebalance", "--detach")).toBe(0);
    expect((await client.service("shop_web")).tasks).toHaveLength(2);
    backend.run(20_000);
    expect((await client.serviceTasks("shop_web")).map(({ node }) => node).sort()).toEqual(["n1", "n2"]);
    cli.stdout = "";
    expect(await cli.run("rebalance", "--yes")).toBe(0);
    expect(cli.stdout).toContain("nothing to move: every task that may move is where it would be placed now");
    const alone = new Harness({ client });
    backend.model.availability(asId("n2"), "drain");
    backend.run(20_000);
    backend.model.availability(asId("n2"), "active");
    expect(await alone.run("rebalance")).toBe(2);
    expect(alone.stderr).toContain("look at it with --dry-run, then give --yes");
    await expect(client.rebalance({ moves: [{ taskId: "gone", nodeId: "n2" }] })).rejects.toMatchObject({
      code: "out_of_sequence",
    });
  });
});
