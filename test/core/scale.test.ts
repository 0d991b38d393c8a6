// When services fall asleep and are woken: idle for long enough, at rest, heard on every node; and what a user's change makes of it.

import { describe, expect, test } from "vitest";
import { fallAsleep, mayFallAsleep, wakeUp } from "../../src/core/commands/asleep.ts";
import { scaleService } from "../../src/core/commands/services.ts";
import { asId, type ServiceId } from "../../src/core/model/ids.ts";
import type { Service } from "../../src/core/model/records.ts";
import { wantedReplicas } from "../../src/core/model/scale.ts";
import { applyChanges, emptyState, type MutableState, type World } from "../../src/core/model/world.ts";
import { planScale } from "../../src/core/scale/plan-scale.ts";

const ID = asId<"service">("s1");

function stateWith(changes: Partial<Service> = {}): MutableState {
  const state = emptyState();
  const scale = { min: 0, idleMs: 60_000, ports: [8080] };
  const service = { id: ID, index: 1, name: "web", version: 1, mode: { kind: "replicated", replicas: 3 }, ...changes };
  state.service.set(ID, service as never);
  state.serviceVersion.set(`${ID}/1`, {
    id: `${ID}/1`,
    serviceId: ID,
    version: 1,
    spec: { name: "web", scale },
  } as never);
  state.node.set("n1", { id: "n1", name: "n1" } as never);
  return state;
}

function worldOf(state: MutableState, presence: "ready" | "suspect" | "lost" = "ready"): World {
  return { state, presence: new Map([["n1", presence]]) } as never;
}

function serviceOf(state: MutableState): Service {
  const service = state.service.get(ID);
  if (service === undefined) throw new Error("no service");
  return service;
}

describe("a plan", () => {
  test("lets a service fall asleep once nobody has called it for as long as it says, and looks again then", () => {
    const world = worldOf(stateWith());
    expect(planScale(world, () => 1_000, 60_999)).toEqual({ asleep: [], nextMs: 61_000 });
    expect(planScale(world, () => 1_000, 61_000)).toEqual({ asleep: [ID], nextMs: undefined });
  });

  test("lets nobody fall asleep while a node is out of touch, and does not wait for one that is lost", () => {
    expect(planScale(worldOf(stateWith(), "suspect"), () => 0, 100_000).asleep).toEqual([]);
    expect(planScale(worldOf(stateWith(), "lost"), () => 0, 100_000).asleep).toEqual([ID]);
  });

  test("leaves alone what sleeps, what has no more tasks than it would have asleep, and what is being changed", () => {
    expect(mayFallAsleep(stateWith(), serviceOf(stateWith()))).toBe(true);
    expect(mayFallAsleep(stateWith(), serviceOf(stateWith({ asleep: 0 })))).toBe(false);
    expect(mayFallAsleep(stateWith(), serviceOf(stateWith({ mode: { kind: "replicated", replicas: 0 } })))).toBe(false);
    const state = stateWith();
    state.rollout.set(ID, { id: ID, state: "updating" } as never);
    expect(mayFallAsleep(state, serviceOf(state))).toBe(false);
  });
});

describe("a service", () => {
  test("has its fewest tasks asleep, all of them once woken, and tells both", () => {
    const state = stateWith();
    const asleep = fallAsleep(state, [ID]);
    expect(asleep.events[0]?.message).toBe("service web asleep: nobody called it; no task until somebody does");
    applyChanges(state, asleep.changes);
    expect(wantedReplicas(serviceOf(state))).toBe(0);
    expect(fallAsleep(state, [ID]).changes).toEqual([]);
    const woken = wakeUp(state, [ID], "n1");
    expect(woken.events[0]?.message).toBe("service web woken: called on n1");
    applyChanges(state, woken.changes);
    expect(wantedReplicas(serviceOf(state))).toBe(3);
    expect(wakeUp(state, [ID, "gone" as ServiceId], "n1").changes).toEqual([]);
  });

  test("is woken by whoever scales it, also to as many as it had", () => {
    const state = stateWith({ asleep: 0 });
    const { result, events } = scaleService({ ref: "web", replicas: 3 })(state, { nowMs: 5 } as never);
    expect(wantedReplicas(result)).toBe(3);
    expect(events[0]?.message).toContain("replicas 0 → 3");
  });
});
