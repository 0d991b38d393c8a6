// Limits that change while a container runs: the engine is asked once, the container stays, and what it refuses is told and left alone.

import { describe, expect, test } from "vitest";
import type { ResourceSpec } from "../../src/core/model/service-spec.ts";
import type { TaskWork } from "../../src/core/model/work.ts";
import { renderUpdateBody } from "../../workers/agent/engine/create-body.ts";
import { AgentWorld, workOf } from "./agent-world.ts";

const MIB = 1_048_576;

function limited(cpus: number, memoryMib: number, version: number): Partial<TaskWork> {
  const resources: ResourceSpec = {
    limits: { cpus, memoryBytes: memoryMib * MIB, pids: 0 },
    reservations: { cpus: 0, memoryBytes: 0, generic: {} },
  };
  return { resources, specVersion: version };
}

function updates(world: AgentWorld): readonly string[] {
  return world.engine.calls.filter((call) => call.startsWith("updateContainer"));
}

async function running(): Promise<AgentWorld> {
  const world = await new AgentWorld().start();
  await world.give(workOf(1, limited(0.5, 64, 1)));
  await world.clock.advance(2_000);
  return world;
}

describe("new limits for a running container", () => {
  test("are given to it once, in the same attempt, and the version that it has is told", async () => {
    const world = await running();
    const [before] = world.engine.running;
    expect(world.status(1)).toMatchObject({ limitsOf: 1, healthy: true });
    await world.give(workOf(1, limited(1, 128, 2)));
    await world.clock.advance(5_000);
    const [after] = world.engine.running;
    expect(after?.id).toBe(before?.id);
    expect(after?.request?.task.resources.limits).toEqual({ cpus: 1, memoryBytes: 128 * MIB, pids: 0 });
    expect(world.status(1)).toMatchObject({ limitsOf: 2, healthy: true, attempt: 1, reason: "" });
    expect(updates(world)).toHaveLength(1);
  });

  test("that are the same ask the engine nothing: only what is reserved may have changed", async () => {
    const world = await running();
    await world.give(workOf(1, limited(0.5, 64, 2)));
    await world.clock.advance(1_000);
    expect(world.status(1)).toMatchObject({ limitsOf: 2 });
    expect(updates(world)).toEqual([]);
  });

  test("that the engine refuses are told with the reason, not asked for again, and given to the next attempt", async () => {
    const world = await running();
    world.engine.fail("updateContainer", "failed", "the kernel would not");
    await world.give(workOf(1, limited(1, 128, 2)));
    await world.clock.advance(120_000);
    expect(updates(world)).toHaveLength(1);
    expect(world.status(1)).toMatchObject({
      limitsOf: 1,
      unresizedTo: 2,
      healthy: true,
      reason: "its limits could not be changed in place: the kernel would not",
    });
    world.engine.exit(world.engine.running[0]?.id ?? "", 1);
    await world.clock.advance(5_000);
    expect(world.engine.running[0]?.request?.task.resources.limits.cpus).toBe(1);
    expect(world.status(1)).toMatchObject({ attempt: 2, limitsOf: 2, reason: "" });
    expect("unresizedTo" in (world.status(1) ?? {})).toBe(false);
  });

  test("whose outcome is not known are not taken for the old ones when those are wanted back", async () => {
    const world = await running();
    world.engine.fail("updateContainer", "timeout", "no answer in time");
    await world.give(workOf(1, limited(1, 128, 2)));
    await world.clock.advance(100);
    expect("limitsOf" in (world.status(1) ?? {})).toBe(false);
    world.engine.heal("updateContainer");
    const count = updates(world).length;
    await world.give(workOf(1, limited(0.5, 64, 1)));
    await world.clock.advance(5_000);
    expect(updates(world).length).toBeGreaterThan(count);
    expect(world.engine.running[0]?.request?.task.resources.limits.cpus).toBe(0.5);
    expect(world.status(1)).toMatchObject({ limitsOf: 1, attempt: 1 });
  });

  test("are asked for again while the engine is away, and after a restart of the agent in the middle", async () => {
    const world = await running();
    world.engine.fail("updateContainer", "unreachable", "no engine");
    await world.give(workOf(1, limited(1, 128, 2)));
    await world.clock.advance(1_000);
    expect(world.status(1)).toMatchObject({ attempt: 1, state: "running" });
    world.engine.heal("updateContainer");
    await world.stop();
    await world.start();
    await world.clock.advance(5_000);
    expect(world.status(1)).toMatchObject({ limitsOf: 2, attempt: 1 });
    expect(world.engine.running).toHaveLength(1);
    await world.stop();
    await world.start();
    const count = updates(world).length;
    await world.clock.advance(60_000);
    expect(updates(world)).toHaveLength(count);
  });
});

test("the engine is told swap with memory, and no limit of processes as minus one", () => {
  const reservations = { cpus: 0, memoryBytes: 32 * MIB, generic: {} };
  expect(renderUpdateBody({ limits: { cpus: 1.5, memoryBytes: 64 * MIB, pids: 0 }, reservations }, undefined)).toEqual({
    NanoCpus: 1_500_000_000,
    Memory: 64 * MIB,
    MemorySwap: 128 * MIB,
    MemoryReservation: 32 * MIB,
    PidsLimit: -1,
  });
  expect(renderUpdateBody({ limits: { cpus: 0, memoryBytes: 64 * MIB, pids: 9 }, reservations }, -1)).toMatchObject({
    MemorySwap: -1,
    PidsLimit: 9,
  });
});
