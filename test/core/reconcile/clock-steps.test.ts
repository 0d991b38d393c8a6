// A wall clock that is set is no time that passed: what counts time goes on from where it was. Each test ends with a plan that has nothing left
// to do, and with nothing left to note.

import { describe, expect, test } from "vitest";
import { applyChanges } from "../../../src/core/model/world.ts";
import { clockChanges } from "../../../src/core/reconcile/clock-steps.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

const HOUR_MS = 3_600_000;
const one = { kind: "replicated", replicas: 1 } as const;

class Machine {
  readonly world = new WorldModel();
  bootId = "first";
  /** What the wall shows beyond the boot clock. */
  aheadMs = 0;

  constructor() {
    this.world.node("n1");
    this.world.node("n2");
    this.note();
  }

  /** As the control loop does before each plan. Gives how many records changed. */
  note(): number {
    const { world, bootId } = this;
    const changes = clockChanges(world.state, { bootId, wallMs: world.nowMs, bootMs: world.nowMs - this.aheadMs });
    applyChanges(world.state, changes);
    return changes.length;
  }

  step(byMs: number): void {
    this.aheadMs += byMs;
    this.world.nowMs += byMs;
    this.note();
  }
}

/** A canary that has been healthy for a part of its hold. */
function onTrial(holdMs: number): Machine {
  const machine = new Machine();
  const strategy = { kind: "canary", canaries: { tasks: 1 }, weight: 100, holdMs } as const;
  machine.world.deploy("web", one, template(), { strategy, monitorMs: 0 });
  machine.world.run(10_000);
  machine.world.deploy("web", one, template({ image: "web:v2" }), { strategy, monitorMs: 0 });
  machine.world.run(10_000);
  expect(machine.world.state.rollout.get("web")).toMatchObject({ state: "trial", healthySinceMs: expect.any(Number) });
  return machine;
}

describe("a wall clock that is set", () => {
  test.each([HOUR_MS, -HOUR_MS])("by %i ms ends no hold early, and puts off none", (byMs) => {
    const machine = onTrial(60_000);
    machine.step(byMs);
    machine.world.run(40_000);
    expect(machine.world.state.rollout.get("web")?.state).toBe("trial");
    machine.world.run(20_000);
    expect(machine.world.state.rollout.get("web")?.state).toBe("completed");
    expect([machine.world.plan(), machine.note()]).toEqual([[], 0]);
  });

  test("lets no progress deadline pass, and none wait for an hour", () => {
    const machine = new Machine();
    machine.world.deploy("web", one, template());
    machine.world.run(20_000);
    machine.world.broken.add("web:v2");
    const update = { progressDeadlineMs: 30_000, maxFailureRatio: 1, failureAction: "pause" } as const;
    machine.world.deploy("web", one, template({ image: "web:v2" }), update);
    machine.world.run(10_000);
    machine.step(HOUR_MS);
    machine.world.run(5_000);
    expect(machine.world.state.rollout.get("web")?.state).not.toBe("paused");
    machine.step(-2 * HOUR_MS);
    machine.world.run(40_000);
    expect(machine.world.state.rollout.get("web")?.message).not.toBe("");
    machine.world.rest();
    expect([machine.world.plan(), machine.note()]).toEqual([[], 0]);
  });

  test("is told by the boot clock: what passed passed, and what slewing does is nothing", () => {
    const machine = onTrial(60_000);
    const before = machine.world.state.rollout.get("web");
    machine.world.nowMs += 10_000;
    machine.aheadMs += 900;
    expect(machine.note()).toBe(0);
    expect(machine.world.state.rollout.get("web")).toEqual(before);
    machine.world.rest();
    expect(machine.world.plan()).toEqual([]);
  });

  test("while its machine boots, or comes to another machine, cannot be told from time", () => {
    const machine = onTrial(60_000);
    const before = machine.world.state.rollout.get("web");
    machine.bootId = "second";
    machine.aheadMs += 99 * HOUR_MS;
    expect(machine.note(), "only the clocks are noted").toBe(1);
    expect(machine.world.state.rollout.get("web")).toEqual(before);
    machine.step(HOUR_MS);
    expect(machine.world.state.rollout.get("web")?.healthySinceMs).toBe((before?.healthySinceMs ?? 0) + HOUR_MS);
    machine.world.rest();
    expect([machine.world.plan(), machine.note()]).toEqual([[], 0]);
  });

  test("back while its machine boots is told by the dates that would be to come, and none waits for an hour", () => {
    const machine = onTrial(60_000);
    machine.bootId = "second";
    machine.step(-HOUR_MS);
    machine.world.run(70_000);
    expect(machine.world.state.rollout.get("web")?.state).toBe("completed");
    expect([machine.world.plan(), machine.note()]).toEqual([[], 0]);
  });
});
