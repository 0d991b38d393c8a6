// Ends that are easily judged wrong: seen by nobody, by the engine's restart, under a clock that jumps, while the disk is full; and
// what an agent says over time of one task.

import { describe, expect, test } from "vitest";
import { stateRank } from "../../src/core/work/merge-status.ts";
import type { TaskStatus } from "../../src/core/model/records.ts";
import { AgentWorld, IMAGE, workOf } from "./agent-world.ts";

const WITHOUT_END = { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 } as const;

describe("ends", () => {
  test("one that no event told of is found within a minute, by looking", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.exitUnseen("c1", 1);
    await world.clock.advance(62_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2 });
  });

  test("those by the engine's restart do not use up attempts and do not wait; a crash with a code of its own does", async () => {
    const world = await new AgentWorld().start();
    const restart = { condition: "any", delayMs: 20_000, maxAttempts: 1, windowMs: 0 } as const;
    await world.give(workOf(1, { restart }), workOf(2, { restart }));
    const restartEngine = async (codes: readonly number[]): Promise<void> => {
      world.engine.fail("ping", "unreachable", "connection refused");
      world.engine.hangUp();
      await world.clock.advance(500);
      world.engine.running.forEach((container, index) => world.engine.exitUnseen(container.id, codes[index] ?? 137));
      world.engine.heal("ping");
      await world.clock.advance(2_000);
    };
    await restartEngine([137, 137]);
    await restartEngine([143, 0]);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 3, interrupted: 2 });
    expect(world.status(2)).toMatchObject({ state: "running", attempt: 3, interrupted: 2 });
    await restartEngine([3, 137]);
    expect(world.status(1)).toMatchObject({ state: "failed", attempt: 3, exitCode: 3 });
    expect(world.status(2)).toMatchObject({ state: "running", attempt: 4 });
  });

  test("a wall clock that is set back by an hour does not hold up the next attempt", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { restart: WITHOUT_END }));
    world.engine.exit("c1", 1);
    await world.clock.advance(100);
    world.clock.stepWall(-3_600_000);
    await world.clock.advance(2_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2 });
  });

  test("a job's task that ends with 0 is complete, one that fails is tried again", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { isJob: true }), workOf(2, { isJob: true, restart: WITHOUT_END }));
    world.engine.exit("c1", 0);
    world.engine.exit("c2", 1);
    await world.clock.advance(60_000);
    expect(world.status(1)).toMatchObject({ state: "complete", attempt: 1, exhausted: true });
    expect(world.status(2)).toMatchObject({ state: "running", attempt: 2 });
  });

  test("a task that ran out of memory says so, with its limit", async () => {
    const world = await new AgentWorld().start();
    const plain = workOf(1);
    const limits = { cpus: 0, memoryBytes: 64 * 1024 * 1024, pids: 0 };
    await world.give({ ...plain, resources: { ...plain.resources, limits } });
    world.engine.exit("c1", 137, { oomKilled: true });
    await world.clock.advance(100);
    expect(world.status(1)?.reason).toBe(
      "out of memory: the kernel killed it at its limit of 64 MiB (exit code 137); give it more with deploy.resources.limits.memory",
    );
  });
});

describe("stops", () => {
  test("a slow one holds up no start", async () => {
    const world = await new AgentWorld().start();
    world.engine.stubborn.add(IMAGE);
    await world.give(...[1, 2, 3, 4, 5, 6].map((number) => workOf(number)));
    await world.give(...[1, 2, 3, 4, 5, 6].map((number) => workOf(number, { desired: "shutdown" })), workOf(7));
    await world.clock.advance(100);
    expect(world.status(7)?.state).toBe("running");
    expect(world.status(1)?.state).toBe("running");
    await world.clock.advance(60_000);
    expect(world.engine.running.map((container) => container.labels["davit.slot"])).toEqual(["7"]);
  });

  test("an engine that does not get a container down in time is told to kill it", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1));
    world.engine.fail("stopContainer", "timeout", "stop container");
    await world.give(workOf(1, { desired: "shutdown" }));
    await world.clock.advance(100);
    expect(world.engine.calls).toContain("killContainer c1");
    expect(world.status(1)).toMatchObject({ state: "shutdown", exitCode: 137 });
  });
});

describe("what is said of a task", () => {
  test("its state never goes back within an attempt, and its attempts only grow, through crashes and restarts of the agent", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1, { restart: { ...WITHOUT_END, delayMs: 100 } }));
    const said: TaskStatus[] = [];
    for (let step = 0; step < 400; step++) {
      const status = world.status(1);
      if (status !== undefined && JSON.stringify(status) !== JSON.stringify(said.at(-1))) said.push(status);
      if (step % 40 === 20) for (const container of world.engine.running) world.engine.exit(container.id, step % 3);
      if (step % 100 === 50) {
        await world.stop();
        await world.start();
      }
      await world.clock.advance(100);
    }
    const ranks = said.map((status) => status.attempt * 100 + stateRank(status.state));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    expect(said.at(-1)?.attempt).toBeGreaterThan(5);
  });

  test("planning again after all is done and seen asks the engine for nothing but to look", async () => {
    const world = await new AgentWorld().start();
    await world.give(
      workOf(1),
      workOf(2, { desired: "shutdown" }),
      workOf(3, { desired: "remove" }),
      workOf(4, { isJob: true }),
    );
    await world.clock.advance(5_000);
    const before = world.engine.calls.length;
    await world.give(
      workOf(1),
      workOf(2, { desired: "shutdown" }),
      workOf(3, { desired: "remove" }),
      workOf(4, { isJob: true }),
    );
    await world.clock.advance(300_000);
    const after = world.engine.calls.slice(before);
    expect(after.filter((call) => !call.startsWith("listContainers"))).toEqual([]);
  });
});
