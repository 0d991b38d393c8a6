// What the agent does for a task before it runs, end to end over an engine in memory: images, volumes, ports, and keeping its hands off.

import { describe, expect, test } from "vitest";
import type { TaskWork, VolumeWork } from "../../src/core/model/work.ts";
import { AgentWorld, CLUSTER_ID, IMAGE, taskId, workOf } from "./agent-world.ts";

const VOLUME: VolumeWork = {
  name: "shop_data",
  driver: "local",
  driverOpts: {},
  labels: {},
  external: false,
  mustExist: false,
};

function withImage(image: string, pullPolicy: "missing" | "always" | "never" = "missing"): Partial<TaskWork> {
  return { container: { ...workOf(1).container, image, pullPolicy } };
}

describe("starting", () => {
  test("a task's container is made on the bridge with the labels that find it again, and counts as healthy after its settle time", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    const [container] = world.engine.running;
    expect(container?.name).toBe(`web.1.${taskId(1).slice(0, 8)}.1`);
    expect(container?.labels).toMatchObject({
      "davit.cluster": CLUSTER_ID,
      "davit.task": taskId(1),
      "davit.attempt": "1",
    });
    expect(world.engine.networks.get("davit0")?.subnet).toBe("10.210.1.0/24");
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1, exhausted: false });
    expect(world.status(1)?.healthy, "it has not run for its settle time").toBeUndefined();
    await world.clock.advance(1_010);
    expect(world.status(1)).toMatchObject({ state: "running", healthy: true });
  });

  test("looking again at tasks that run writes nothing and tells nothing", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1), workOf(2));
    await world.clock.advance(2_000);
    const writes = world.disk.writes;
    const before = world.core.runs.all.get(taskId(1));
    await world.clock.advance(300_000);
    await world.give(workOf(1), workOf(2), workOf(3, withImage("nope:v1", "never")));
    expect(world.core.runs.all.get(taskId(1))).toBe(before);
    expect(world.disk.writes - writes, "the work, and the new task's refusal").toBeLessThanOrEqual(4);
  });

  test("waits while another container of ours has the address: a node that was called dead comes back with what it ran", async () => {
    const world = await new AgentWorld().start();
    const next = { ...workOf(2), address: workOf(1).address };
    await world.give(workOf(1));
    await world.give(workOf(1), next);
    expect(world.status(2)?.reason).toBe(
      `waits for its address ${next.address}, still held by ${world.engine.running[0]?.name}`,
    );
    await world.give(workOf(1, { desired: "shutdown" }), next);
    await world.clock.advance(2_000);
    expect(world.status(2)).toMatchObject({ state: "running", attempt: 1 });
  });

  test("nothing is touched before the agent was given work once", async () => {
    const world = new AgentWorld();
    world.engine.adopt({
      id: "old",
      name: "old",
      imageId: "",
      state: "running",
      labels: { "davit.cluster": CLUSTER_ID, "davit.task": taskId(9), "davit.attempt": "1" },
    });
    await world.start();
    await world.clock.advance(120_000);
    expect(world.engine.running.map((container) => container.id)).toEqual(["old"]);
  });

  test("a container of ours that no work names is stopped and removed; foreign ones are never touched", async () => {
    const world = new AgentWorld();
    const base = { imageId: "", state: "running" } as const;
    const ours = { "davit.cluster": CLUSTER_ID, "davit.task": taskId(9), "davit.attempt": "1" };
    world.engine.adopt({ ...base, id: "ours", name: "ours", labels: ours });
    world.engine.adopt({ ...base, id: "plain", name: "plain", labels: {} });
    world.engine.adopt({
      ...base,
      id: "other",
      name: "other",
      labels: { ...ours, "davit.cluster": "o".repeat(25) },
    });
    world.engine.adopt({ ...base, id: "half", name: "half", labels: { "davit.cluster": CLUSTER_ID } });
    await world.start();
    await world.give(workOf(1));
    await world.clock.advance(60_000);
    expect([...world.engine.containersById.keys()].toSorted()).toEqual(["c1", "half", "other", "plain"]);
    expect(world.engine.calls.filter((call) => /(stop|kill|remove)Container (plain|other|half)/.test(call))).toEqual(
      [],
    );
  });
});

describe("images", () => {
  test("an image that is on the node never waits for a registry", async () => {
    const world = new AgentWorld();
    world.engine.isRegistryDown = true;
    await world.start();
    await world.give(workOf(1));
    expect(world.status(1)?.state).toBe("running");
    expect(world.engine.calls.filter((call) => call.startsWith("pullImage"))).toEqual([]);
  });

  test("an image that is missing is pulled once for all tasks that wait for it, with its registry's login", async () => {
    const world = new AgentWorld([]);
    world.engine.registryImages.add(IMAGE);
    await world.start();
    const login = { username: "robot", password: "secret" };
    await world.give(workOf(1), workOf(2), workOf(3), { kind: "logins", logins: { "registry.lab": login } });
    expect(world.engine.running).toHaveLength(3);
    expect(world.engine.calls.filter((call) => call.startsWith("pullImage"))).toHaveLength(1);
    expect(world.engine.logins).toEqual([login]);
    expect([...world.disk.durable.values()].join(), "logins are for tmpfs only").not.toContain("secret");
  });

  test("with policy always the registry is asked at the first attempt only, and a dead one does not stop a present image", async () => {
    const world = new AgentWorld();
    world.engine.isRegistryDown = true;
    await world.start();
    await world.give(workOf(1, withImage(IMAGE, "always")));
    expect(world.status(1)?.state).toBe("running");
    world.engine.exit("c1", 1);
    await world.clock.advance(3_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2 });
    expect(world.engine.calls.filter((call) => call.startsWith("pullImage"))).toHaveLength(1);
  });

  test.each([
    ["missing", false, "image nope:v1 was not found: check its name and tag, or push it"],
    ["never", false, "image nope:v1 is not on n1, and its pull policy is never"],
    ["missing", true, "image nope:v1 is not on n1 and its registry cannot be reached: dial tcp: no route to host"],
  ] as const)("policy %s, registry down %s: the task is rejected in words", async (policy, isDown, words) => {
    const world = await new AgentWorld().start();
    world.engine.isRegistryDown = isDown;
    await world.give(workOf(1, withImage("nope:v1", policy)));
    expect(world.status(1)).toMatchObject({ state: "rejected", reason: words });
    expect(world.made).toBe(0);
  });
});

describe("volumes", () => {
  test("a new volume is made before its container", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { volumes: [VOLUME] }));
    const calls = world.engine.calls.filter((call) => /^create(Volume|Container)/.test(call));
    expect(calls.map((call) => call.split(" ")[0])).toEqual(["createVolume", "createContainer"]);
  });

  test("a volume whose data was here and is gone rejects the task in words, and no empty one is made", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { volumes: [{ ...VOLUME, mustExist: true }] }));
    await world.clock.advance(300_000);
    expect(world.engine.volumes.size).toBe(0);
    expect(world.made).toBe(0);
    expect(world.status(1)?.reason).toContain("volume shop_data is gone from n1, where its data was");
  });

  test("a volume that vanishes between two attempts is noticed by the second", async () => {
    const world = await new AgentWorld().start();
    const mustExist = { ...VOLUME, mustExist: true };
    world.engine.volumes.add("shop_data");
    await world.give(workOf(1, { volumes: [mustExist] }));
    world.engine.volumes.delete("shop_data");
    world.engine.exit("c1", 1);
    await world.clock.advance(2_000);
    expect(world.status(1)).toMatchObject({ state: "rejected", attempt: 2 });
    expect(world.engine.volumes.size).toBe(0);
  });

  test("an external volume is never made by davit", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { volumes: [{ ...VOLUME, external: true }] }));
    expect(world.status(1)).toMatchObject({
      state: "rejected",
      reason: "external volume shop_data is not on n1: create it there with `docker volume create shop_data`",
    });
    expect(world.engine.volumes.size).toBe(0);
  });
});

describe("host ports", () => {
  const hostPorts = [{ published: 8080, target: 80, protocol: "tcp" }] as const;

  test("a port that a stranger holds rejects the task and names the stranger", async () => {
    const world = await new AgentWorld().start();
    world.portOwners.set("8080/tcp", "nginx (pid 7)");
    await world.give(workOf(1, { hostPorts }));
    expect(world.status(1)).toMatchObject({
      state: "rejected",
      reason: "port 8080/tcp is taken on n1 by nginx (pid 7): free it, or publish another port",
    });
  });

  test("a port that another task of ours still holds is waited for", async () => {
    const world = await new AgentWorld().start();
    world.engine.stubborn.add(IMAGE);
    await world.give(workOf(1, { hostPorts }));
    await world.give(workOf(1, { hostPorts, desired: "shutdown" }), workOf(2, { hostPorts }));
    expect(world.status(2)).toMatchObject({ state: "preparing" });
    expect(world.status(2)?.reason).toContain("waits for port 8080/tcp, still held by web.1.");
    await world.clock.advance(11_000);
    expect(world.status(1)).toMatchObject({ state: "shutdown", exitCode: 137 });
    expect(world.status(2)).toMatchObject({ state: "running" });
  });
});
