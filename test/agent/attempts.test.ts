// What the agent does when tasks, engine, host or it itself come to an end, over an engine in memory: attempts, giving up, adopting, going on.

import { describe, expect, test } from "vitest";
import { AgentWorld, IMAGE, taskId, workOf } from "./agent-world.ts";

describe("ends and further attempts", () => {
  test("a crashed task gets another attempt after its delay, with the last words kept", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.exit("c1", 3, { output: "cannot open /etc/web.conf\n" });
    await world.clock.advance(500);
    expect(world.status(1)).toMatchObject({
      state: "failed",
      attempt: 1,
      exitCode: 3,
      lastOutput: "cannot open /etc/web.conf",
    });
    await world.clock.advance(600);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2 });
  });

  test("a crash loop never spins: an hour of crashes at once makes fewer than 75 attempts, whatever the delay", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { restart: { condition: "any", delayMs: 0, maxAttempts: 0, windowMs: 0 } }));
    for (let second = 0; second < 3_600; second++) {
      for (const container of world.engine.running) world.engine.exit(container.id, 1);
      await world.clock.advance(1_000);
    }
    expect(world.made).toBeGreaterThan(50);
    expect(world.made).toBeLessThan(75);
    expect(world.engine.containersById.size, "old containers are taken away").toBeLessThanOrEqual(3);
  });

  test("a rejected task is tried again, as seldom as a crashing one", async () => {
    const world = await new AgentWorld([]).start();
    await world.give(workOf(1));
    await world.clock.advance(3_600_000);
    const pulls = world.engine.calls.filter((call) => call.startsWith("pullImage")).length;
    expect(pulls).toBeGreaterThan(50);
    expect(pulls).toBeLessThan(75);
    world.engine.registryImages.add(IMAGE);
    await world.clock.advance(61_000);
    expect(world.status(1)?.state).toBe("running");
  });

  test("when the attempts are used up the task is exhausted and stays so", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { restart: { condition: "on-failure", delayMs: 0, maxAttempts: 2, windowMs: 0 } }));
    for (let time = 0; time < 10; time++) {
      for (const container of world.engine.running) world.engine.exit(container.id, 1);
      await world.clock.advance(10_000);
    }
    expect(world.status(1)).toMatchObject({ state: "failed", attempt: 3, exhausted: true });
    expect(world.status(1)?.reason).toContain("no attempts left");
    expect(world.made).toBe(3);
  });

  test("a failed task that is then to shut down gets no further attempt, and says so", async () => {
    const world = await new AgentWorld().start();
    const restart = { condition: "any", delayMs: 5_000, maxAttempts: 0, windowMs: 0 } as const;
    await world.give(workOf(1, { restart }));
    world.engine.exit("c1", 1);
    await world.clock.advance(100);
    expect(world.status(1)).toMatchObject({ state: "failed", exhausted: false });
    await world.give(workOf(1, { restart, desired: "shutdown" }));
    await world.clock.advance(600_000);
    expect(world.status(1)).toMatchObject({ state: "failed", attempt: 1, exhausted: true });
    expect(world.made).toBe(1);
  });

  test("a running task that is to shut down is stopped once and ends as shutdown", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    await world.give(workOf(1, { desired: "shutdown" }));
    await world.clock.advance(60_000);
    expect(world.status(1)).toMatchObject({ state: "shutdown", exitCode: 143 });
    expect(world.engine.calls.filter((call) => call === "stopContainer c1")).toHaveLength(1);
    expect(world.engine.containersById.has("c1"), "its record and logs stay").toBe(true);
  });

  test("a task that is to be removed leaves no trace", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    await world.give(workOf(1, { desired: "remove" }));
    await world.clock.advance(1_000);
    expect(world.engine.containersById.size).toBe(0);
    expect(world.status(1)).toBeUndefined();
  });

  test("a probe that fails often enough ends the attempt as failed, with its answer", async () => {
    const world = await new AgentWorld().start();
    const health = { ...workOf(1).health, probe: { kind: "tcp", port: 80 } } as const;
    world.probes.set(taskId(1), { ok: false, answer: "connection refused" });
    await world.give(workOf(1, { health }));
    await world.clock.advance(6_000);
    expect(world.core.runs.all.get(taskId(1))?.status.attempt).toBeGreaterThan(1);
    world.probes.set(taskId(1), { ok: true, answer: "" });
    await world.clock.advance(20_000);
    expect(world.status(1)).toMatchObject({ state: "running", healthy: true });
  });

  test("a container that somebody removes is made again", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.vanish("c1");
    await world.clock.advance(2_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2, containerId: "c2" });
  });
});

describe("restarts of agent, engine and host", () => {
  test("after its own restart the agent adopts what runs and touches nothing", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1), workOf(2));
    await world.clock.advance(2_000);
    const before = world.engine.running.map((container) => container.id);
    await world.stop();
    await world.start();
    await world.clock.advance(120_000);
    expect(world.engine.running.map((container) => container.id)).toEqual(before);
    expect(world.made).toBe(2);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1, healthy: true });
  });

  test("an agent that lost its memory of attempts adopts containers by their labels", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.exit("c1", 1);
    await world.clock.advance(2_000);
    await world.stop();
    world.disk.durable.delete("attempts.json");
    await world.start();
    await world.clock.advance(2_000);
    expect(world.made).toBe(2);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2, containerId: "c2" });
  });

  test("after a reboot of the host everything runs again at once without a coordinator, and nothing counts as failed", async () => {
    const world = await new AgentWorld().start();
    const restart = { condition: "on-failure", delayMs: 30_000, maxAttempts: 1, windowMs: 0 } as const;
    await world.give(workOf(1, { restart }), workOf(2, { restart }));
    for (let time = 1; time <= 3; time++) {
      await world.reboot();
      await world.clock.advance(100);
      expect(world.engine.running).toHaveLength(2);
      expect(world.status(1)).toMatchObject({ state: "running", attempt: 1 + time, interrupted: time });
    }
  });

  test("an agent that was told to stop begins nothing more", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    await world.stop();
    world.engine.exit("c1", 1);
    await world.clock.advance(120_000);
    expect(world.made).toBe(1);
  });

  test("no operation begins while the engine is away, and work goes on when it is back", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.fail("ping", "unreachable", "connection refused");
    world.engine.hangUp();
    await world.give(workOf(1), workOf(2));
    await world.clock.advance(30_000);
    expect(world.made).toBe(1);
    expect(world.core.state).toContain("waits for the container engine");
    world.engine.heal("ping");
    await world.clock.advance(2_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1 });
    expect(world.status(2)).toMatchObject({ state: "running", attempt: 1 });
  });

  test("work is on the disk before anything acts on it", async () => {
    const world = await new AgentWorld().start();
    const release = world.disk.hold();
    const receiving = world.give(workOf(1));
    await world.clock.advance(1_000);
    expect(world.engine.calls.filter((call) => /^(create|inspectImage)/.test(call))).toEqual([]);
    release();
    await receiving;
    expect(world.disk.durable.get("work.json")).toContain(taskId(1));
    expect(world.status(1)?.state).toBe("running");
  });

  test("work that is still being written is not acted on, whatever wakes the agent meanwhile", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    const release = world.disk.hold();
    const receiving = world.give(workOf(1), workOf(2));
    await world.clock.advance(1_000);
    world.engine.exit("c1", 1);
    await world.clock.advance(120_000);
    expect(world.status(2)).toBeUndefined();
    release();
    await receiving;
    await world.clock.advance(1_000);
    expect(world.status(2)?.state).toBe("running");
  });

  test("a job that its host's reboot ended says so, and is not run twice unless its policy wants it", async () => {
    const world = await new AgentWorld().start();
    const restart = { condition: "none", delayMs: 0, maxAttempts: 0, windowMs: 0 } as const;
    await world.give(workOf(1, { isJob: true, restart }));
    await world.reboot();
    await world.clock.advance(1_000);
    expect(world.made).toBe(1);
    expect(world.status(1)).toMatchObject({
      state: "failed",
      exhausted: true,
      reason: "the host rebooted; restart condition is none",
    });
  });

  test("an attempt is on the disk before its container is made", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    const release = world.disk.hold();
    world.engine.exit("c1", 1);
    await world.clock.advance(30_000);
    expect(world.made, "the second attempt is not written down yet").toBe(1);
    release();
    await world.clock.advance(1_000);
    expect(world.made).toBe(2);
    expect(JSON.parse(world.disk.durable.get("attempts.json") ?? "")).toMatchObject([{ status: { attempt: 2 } }]);
  });
});

describe("an engine that starts a container and then says nothing in time", () => {
  test("is asked what became of it before anything else is made or started of the task", async () => {
    const world = await new AgentWorld().start();
    world.engine.fail("inspectContainer", "timeout", "inspect container: no answer within 30 s");
    await world.give(workOf(1));
    await world.clock.advance(100);
    expect(world.status(1)).toMatchObject({
      state: "starting",
      attempt: 1,
      reason: expect.stringContaining("no answer"),
    });
    world.engine.heal("inspectContainer");
    await world.clock.advance(60_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1, healthy: true, reason: "" });
    expect(world.made).toBe(1);
    expect(world.engine.calls.filter((call) => call.startsWith("startContainer"))).toHaveLength(1);
  });

  test("is not asked to start it again when the task has to go while it is looked at", async () => {
    const world = await new AgentWorld().start();
    world.engine.fail("startContainer", "timeout", "start container: no answer within 30 s");
    const looked = Promise.withResolvers<void>();
    const inspect = world.engine.inspectContainer.bind(world.engine);
    world.engine.inspectContainer = async (id) => {
      await looked.promise;
      return await inspect(id);
    };
    await world.give(workOf(1));
    await world.clock.advance(100);
    world.engine.heal("startContainer");
    await world.give(workOf(1, { desired: "shutdown" }));
    await world.clock.advance(100);
    looked.resolve();
    await world.clock.advance(10_000);
    expect(world.engine.calls.filter((call) => call.startsWith("startContainer"))).toHaveLength(1);
    expect(world.status(1)).toMatchObject({ state: "shutdown" });
  });
});

describe("a wall clock that is set back by an hour", () => {
  test("does not hold up an attempt that was made before, nor has its volume looked for again and again", async () => {
    const world = await new AgentWorld([]).start();
    world.engine.isRegistryDown = true;
    const volume = { name: "data", driver: "local", driverOpts: {}, labels: {}, external: false, mustExist: false };
    world.engine.fail("volumeExists", "timeout", "no answer within 30 s");
    await world.give(workOf(1, { volumes: [volume] }));
    world.clock.stepWall(-3_600_000);
    world.engine.isRegistryDown = false;
    world.engine.heal("volumeExists");
    world.engine.registryImages.add(IMAGE);
    await world.clock.advance(30_000);
    expect(world.status(1)).toMatchObject({ state: "running", healthy: true });
    const looks = world.engine.calls.filter((call) => call.startsWith("volumeExists")).length;
    expect(looks).toBeLessThan(20);
  });
});
