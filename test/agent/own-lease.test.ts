// Tasks that must never run twice, on their node: what renews their lease, and what happens at its end.

import { describe, expect, test } from "vitest";
import { confirmLease, sendBeat, startLease, takeGrant } from "../../workers/agent/lease/lease.ts";
import { AgentWorld, workOf } from "./agent-world.ts";

const LEASE_MS = 20_000;

/** A beat that is sent now, and granted at once for the work that the agent holds, or for work that is to come. */
function confirm({ core }: AgentWorld, work = core.held.position): void {
  core.lease.granted(core.lease.beat(), 6_000, work, core.held.position);
}

async function started(): Promise<AgentWorld> {
  const world = await new AgentWorld().start();
  await world.give(workOf(1, { leaseMs: LEASE_MS }));
  confirm(world);
  await world.clock.advance(2_000);
  expect(world.status(1)).toMatchObject({ state: "running", attempt: 1 });
  return world;
}

function stops({ engine }: AgentWorld): number {
  return engine.calls.filter((call) => call.startsWith("stopContainer")).length;
}

describe("a task's own lease", () => {
  test("counts from the beat whose grant is for work that the node holds", () => {
    const work = { epoch: 1, generation: 7 };
    const { lease, seq } = sendBeat(startLease(), 1_000);
    const granted = takeGrant(lease, seq, 6_000, work);
    expect(confirmLease(granted, { epoch: 1, generation: 6 }).confirmedBootMs).toBe(Number.NEGATIVE_INFINITY);
    expect(confirmLease(granted, work).confirmedBootMs).toBe(1_000);
    expect(confirmLease(granted, { epoch: 2, generation: 1 }).confirmedBootMs).toBe(1_000);
    const bare = takeGrant(lease, seq, 6_000);
    expect(confirmLease(bare, work).confirmedBootMs, "a grant that names no work").toBe(Number.NEGATIVE_INFINITY);
  });

  test("is not renewed for a task by a grant that overtook the work which ends it", async () => {
    const world = await started();
    await world.clock.advance(LEASE_MS + 11_000);
    expect(world.engine.running).toEqual([]);
    confirm(world, { epoch: 1, generation: 99 });
    await world.clock.advance(5_000);
    expect(world.engine.running, "the work that it is for has not come").toEqual([]);
    expect(world.status(1)?.state).not.toBe("running");
  });

  test("ends with the container, and that is no failure; a grant brings it back", async () => {
    const world = await started();
    await world.clock.advance(LEASE_MS - 3_000);
    expect(world.engine.running).toHaveLength(1);
    await world.clock.advance(1_500);
    expect(stops(world)).toBe(1);
    await world.clock.advance(15_000);
    expect(world.engine.running).toEqual([]);
    expect(world.status(1)).toMatchObject({ attempt: 2, interrupted: 1 });
    expect(world.status(1)?.reason).toContain("waits for its lease: no coordinator has confirmed it for 20 s");
    confirm(world);
    await world.clock.advance(2_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 2, reason: "" });
  });

  test("is over after a reboot, until a coordinator confirms it", async () => {
    const world = await started();
    await world.reboot();
    await world.clock.advance(30_000);
    expect(world.engine.running).toEqual([]);
    confirm(world);
    await world.clock.advance(2_000);
    expect(world.engine.running).toHaveLength(1);
  });

  test("has only its rest after the agent's restart", async () => {
    const world = await started();
    await world.clock.advance(10_000);
    await world.stop();
    await world.start();
    await world.clock.advance(5_000);
    expect(world.engine.running).toHaveLength(1);
    await world.clock.advance(5_000);
    expect(stops(world)).toBe(1);
  });

  test("ends what drains, too", async () => {
    const world = new AgentWorld();
    world.connections = { openTo: async () => 1, forget: async () => {} };
    await world.start();
    await world.give(workOf(1, { leaseMs: LEASE_MS, drainMs: 600_000 }));
    confirm(world);
    await world.clock.advance(2_000);
    await world.give(workOf(1, { leaseMs: LEASE_MS, drainMs: 600_000, desired: "shutdown" }));
    await world.clock.advance(10_000);
    expect(stops(world)).toBe(0);
    await world.clock.advance(9_000);
    expect(stops(world)).toBe(1);
  });

  test("leaves tasks without one alone", async () => {
    const world = await new AgentWorld().start();
    await world.give(workOf(1), workOf(2, { leaseMs: LEASE_MS }));
    confirm(world);
    await world.clock.advance(60_000);
    expect(world.status(1)).toMatchObject({ state: "running", attempt: 1 });
    expect(world.engine.running).toHaveLength(1);
  });
});
