// A change that stops the old task first, by its policy, for a port of the host or for a volume that one task at a time may write to.

import { describe, expect, test } from "vitest";
import { template, WorldModel } from "../../fakes/world-model.ts";
import { ON_SSD, one, running, versions } from "./changing.ts";

describe("a change that stops the old task first and found no node", () => {
  /** A service whose new task no node takes. */
  function waiting(): WorldModel {
    const world = running();
    world.deploy("queue", one, template());
    world.run(12_000);
    world.deploy("queue", one, template({ image: "web:v2", placement: ON_SSD }), { order: "stop-first" });
    world.run(10_000);
    return world;
  }

  test("starts no new one beside it, though room comes where none was", () => {
    const world = waiting();
    world.node("n4", { disk: "ssd" });
    world.run(20_000, () => expect(world.running("queue").length).toBeLessThanOrEqual(1));
    expect(world.running("queue").map((task) => task.nodeId)).toEqual(["n4"]);
    expect(world.plan()).toEqual([]);
  });

  test("begins nothing while somebody has paused it, also when room comes", () => {
    const world = waiting();
    const old = world.running("queue").map((task) => task.id);
    world.wish("queue", "pause");
    world.rest();
    world.node("n4", { disk: "ssd" });
    world.run(20_000);
    expect(world.running("queue").map((task) => task.id)).toEqual(old);
    expect(world.plan()).toEqual([]);
    world.wish("queue", "resume");
    world.run(20_000, () => expect(world.running("queue").length).toBeLessThanOrEqual(1));
    expect(world.running("queue").map((task) => task.nodeId)).toEqual(["n4"]);
    expect(world.plan()).toEqual([]);
  });
});

test("fixed host ports are handed over: the old task stops first even when the new one should start first", () => {
  const world = new WorldModel();
  world.node("n1");
  const ports = [{ target: 80, published: { from: 80, to: 80 }, protocol: "tcp", mode: "host" }] as const;
  world.deploy("web", one, template({ ports }));
  world.run(10_000);
  world.deploy("web", one, template({ ports, image: "web:v2" }), { order: "start-first" });
  world.run(10_000, () => expect(world.running("web").length).toBeLessThanOrEqual(1));
  expect(versions(world)).toEqual([2]);
  expect(world.plan()).toEqual([]);
});

describe("a change of a writer", () => {
  test("whose node takes nothing says why it waits, and says it anew when that changes", () => {
    const world = new WorldModel();
    const home = world.node("n1");
    world.node("n2");
    world.volume("data");
    world.deploy("store", one, template({ image: "store:v1", volume: "data" }));
    world.run(10_000);
    world.availability(home, "pause");
    world.deploy("store", one, template({ image: "store:v2", volume: "data" }));
    world.run(2_000);
    const waiting = (): readonly (string | undefined)[] =>
      world.live("store").flatMap(({ nodeId, waiting: reason }) => (nodeId === undefined ? [reason] : []));
    expect(waiting()).toEqual(["its data is on n1, which is paused"]);
    world.presence.set(home, "silent");
    world.rest();
    expect(waiting()).toEqual(["its data is on n1, which is silent"]);
    world.presence.set(home, "ready");
    world.availability(home, "active");
    world.run(20_000);
    expect(world.running("store").map(({ specVersion }) => specVersion)).toEqual([2]);
  });

  test("that is taken back while its first task still stops starts no second writer, though the one between was never placed", () => {
    const world = new WorldModel();
    world.node("n1");
    world.volume("data");
    world.deploy("store", one, template({ image: "store:v1", volume: "data" }));
    world.run(12_000);
    world.deploy("store", one, template({ image: "store:v2", volume: "data" }));
    world.rest();
    world.deploy("store", one, template({ image: "store:v1", volume: "data" }));
    world.rest();
    const [next] = world.live("store");
    expect(next).toMatchObject({ specVersion: 3, waiting: "store.1 on n1 stops first" });
    expect(next?.nodeId).toBeUndefined();
    world.run(12_000);
    expect(world.running("store").map((task) => task.specVersion)).toEqual([3]);
    expect(world.plan()).toEqual([]);
  });

  test("that overtakes one which found no node waits for the writer that starts beside the one that was never placed", () => {
    const world = new WorldModel();
    world.node("n1");
    world.volume("data");
    world.deploy("store", one, template({ image: "store:v1", volume: "data" }));
    world.rest();
    const [first] = world.live("store");
    world.nowMs += 1_000;
    world.deploy("store", one, template({ image: "store:v2", volume: "data", placement: ON_SSD }));
    world.rest();
    expect(world.live("store").map(({ nodeId }) => nodeId)).toEqual([first?.nodeId, undefined]);
    world.deploy("store", one, template({ image: "store:v3", volume: "data" }));
    world.rest();
    const next = world.live("store").find(({ specVersion }) => specVersion === 3);
    expect(next).toMatchObject({ replaces: first?.id, waiting: "store.1 on n1 stops first" });
    expect(next?.nodeId).toBeUndefined();
    world.run(12_000);
    expect(world.running("store").map((task) => task.specVersion)).toEqual([3]);
    expect(world.plan()).toEqual([]);
  });
});
