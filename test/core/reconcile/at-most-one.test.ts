// What must never run twice in a slot: another is made only when the one before is certainly gone. Each test ends with a plan that has nothing
// left to do.

import { afterEach, describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import type { Task } from "../../../src/core/model/records.ts";
import { versionKey } from "../../../src/core/model/world.ts";
import { goneAfterMs } from "../../../src/core/lease/own-lease.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

const one = { kind: "replicated", replicas: 1 } as const;
const bounded = template({ onLeaseLost: "stop", leaseMs: 30_000 });
/** (30 s of lease + 10 s of grace) × 1.004 + 2 s. */
const GONE_MS = 42_160;

let world: WorldModel;
afterEach(() => expect(world.plan(), "planning again changes nothing").toEqual([]));

function running(from = bounded): { readonly first: Task } {
  world = new WorldModel();
  world.routesGeneration = 1;
  for (const name of ["n1", "n2", "n3"]) world.node(name);
  world.deploy("db", one, from);
  world.run(12_000);
  const [first] = world.running("db");
  if (first?.nodeId === undefined) expect.fail("nothing runs");
  // a commit each time, as a coordinator has
  return { first };
}

function nodeOf(task: Task | undefined): string {
  return task?.nodeId ?? "";
}

/** Time passes, and each commit makes a new generation. */
function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += 500) {
    world.run(500);
    world.routesGeneration += 1;
    for (const id of world.state.node.keys())
      world.progress.set(asId(id), { routesApplied: world.routesGeneration, workApplied: 0 });
  }
  world.rest();
}

function patient(replaceAfterMs: number): void {
  const key = versionKey("db", 1);
  const version = world.state.serviceVersion.get(key);
  if (version !== undefined)
    world.state.serviceVersion.set(key, { ...version, spec: { ...version.spec, replaceAfterMs } });
}

describe("a task that must never run twice", () => {
  test("is gone after its lease and grace by the slower of two clocks, and what a kill may take", () => {
    expect(goneAfterMs(bounded)).toBeCloseTo(GONE_MS);
    expect(goneAfterMs(template())).toBeUndefined();
    running();
  });

  test("is not replaced before its lost node has certainly stopped it, and says what is waited for", () => {
    const { first } = running();
    world.lose(asId(nodeOf(first)));
    pass(GONE_MS - 7_000);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    expect(world.live("db")[0]?.waiting).toBe(
      `${nodeOf(first)} is lost; it is replaced 43 s after that was last heard`,
    );
    pass(8_000);
    const [next] = world.live("db");
    expect(next?.replaces).toBe(first.id);
    expect(nodeOf(next)).not.toBe(nodeOf(first));
    expect(world.state.task.get(first.id)?.desiredReason).toBe(`${nodeOf(first)} is lost, and its lease is over`);
  });

  test("is given up in a commit of its own before another is placed", () => {
    const { first } = running();
    world.lose(asId(nodeOf(first)));
    world.nowMs += GONE_MS;
    world.rest();
    const [next] = world.live("db");
    expect(world.state.task.get(first.id)).toMatchObject({ desired: "shutdown", endsFrom: world.routesGeneration + 1 });
    expect(next?.nodeId).toBeUndefined();
    expect(next?.waiting).toContain("it may run there until its lease is over");
    world.routesGeneration += 1;
    world.rest();
    expect(nodeOf(world.live("db")[0])).not.toBe("");
  });

  test("waits for the word of a node that comes back between the two", () => {
    const { first } = running();
    world.lose(asId(nodeOf(first)));
    world.nowMs += GONE_MS;
    world.rest();
    world.comeBack(asId(nodeOf(first)));
    world.routesGeneration += 1;
    world.rest();
    expect(world.live("db").map(nodeOf)).toEqual([""]);
    pass(2_000);
    expect(world.live("db").map(nodeOf)).not.toContain("");
    expect(world.state.taskStatus.get(first.id)?.state).toBe("shutdown");
  });

  test("is left where it is when its node comes back in time", () => {
    const { first } = running();
    world.lose(asId(nodeOf(first)));
    pass(20_000);
    world.comeBack(asId(nodeOf(first)));
    pass(60_000);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    expect(world.live("db")[0]?.waiting).toBeUndefined();
  });

  test("is not given up while most nodes are silent, nor by what a coordinator counted before it started anew", () => {
    const { first } = running();
    const node = asId<"node">(nodeOf(first));
    world.lose(node);
    world.valveShut = true;
    pass(GONE_MS * 2);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    world.valveShut = false;
    world.heardMs.set(node, world.nowMs);
    pass(GONE_MS - 2_000);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    pass(4_000);
    expect(nodeOf(world.live("db")[0])).not.toBe(nodeOf(first));
  });

  test("is replaced at once when a user says that its node is dead", () => {
    const { first } = running();
    const node = world.state.node.get(nodeOf(first));
    if (node === undefined) return expect.fail("no node");
    world.lose(node.id);
    world.state.node.set(node.id, { ...node, confirmedDeadAtMs: world.nowMs });
    pass(1_000);
    expect(world.live("db").map(nodeOf)).not.toContain(node.id);
    expect(world.running("db").length).toBe(1);
  });

  test("stops before its next version starts, also when its node is lost in the middle of the update", () => {
    const { first } = running();
    world.deploy(
      "db",
      one,
      { ...bounded, container: { ...bounded.container, image: "web:v2" } },
      { order: "start-first" },
    );
    world.rest();
    world.lose(asId(nodeOf(first)));
    let least = Number.POSITIVE_INFINITY;
    const lostAtMs = world.nowMs;
    for (let at = 0; at < 100; at++) {
      pass(500);
      if (world.running("db").some((task) => task.specVersion === 2)) least = Math.min(least, world.nowMs - lostAtMs);
    }
    expect(least).toBeGreaterThanOrEqual(GONE_MS - 6_000);
    expect(world.running("db").map((task) => task.specVersion)).toEqual([2]);
  });

  test("moves from a draining node by stopping first", () => {
    const { first } = running();
    world.availability(asId(nodeOf(first)), "drain");
    for (let at = 0; at < 60; at++) {
      pass(500);
      const up = world.tasks("db").filter((task) => world.state.taskStatus.get(task.id)?.state === "running");
      expect(up.length).toBeLessThanOrEqual(1);
    }
    expect(nodeOf(world.running("db")[0])).not.toBe(nodeOf(first));
  });
});

describe("patience with a lost node", () => {
  test("keeps a task that runs on from being replaced until then, and no longer", () => {
    const { first } = running(template());
    patient(60_000);
    world.lose(asId(nodeOf(first)));
    pass(50_000);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    expect(world.live("db")[0]?.waiting).toBe(
      `${nodeOf(first)} is lost; it is replaced 60 s after that was last heard`,
    );
    pass(6_000);
    expect(world.live("db").map(nodeOf)).toContainEqual(expect.not.stringMatching(nodeOf(first)));
    pass(70_000);
  });

  test("is the longer of the two for what must never run twice", () => {
    const { first } = running();
    patient(90_000);
    world.lose(asId(nodeOf(first)));
    pass(80_000);
    expect(world.live("db").map(({ id }) => id)).toEqual([first.id]);
    pass(8_000);
    expect(nodeOf(world.live("db")[0])).not.toBe(nodeOf(first));
  });
});
