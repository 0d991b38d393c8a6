// Room for what is more important: who gives way, who never does, and that it ends.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WorldModel } from "../../fakes/world-model.ts";
import { expectRest, nodeId, nodes, placesOf, placing, replicated, waits } from "./placing.ts";

const urgent = { priority: 500, preempt: true } as const;

function give(world: WorldModel): readonly string[] {
  return world.told
    .filter((line) => line.startsWith("withdraw") && line.includes("gives way"))
    .map((line) => line.replace(/ from all routes/, ""));
}

describe("preemption", () => {
  test("the fewest tasks of the least importance end, and their tasks say what for", () => {
    const world = nodes(2);
    world.deploy("batch", replicated(3), placing({ constraints: [on("n1")] }, { cpus: 1 }));
    world.deploy("better", replicated(2), placing({ constraints: [on("n2")], priority: 10 }, { cpus: 2 }));
    world.run(3_000);
    world.deploy("web", replicated(1), placing(urgent, { cpus: 2 }));
    world.run(6_000);
    expect(placesOf(world, "web")).toEqual(["n1"]);
    expect(give(world)).toEqual(["withdraw batch.3: gives way to web.1 of priority 500"]);
    expect(placesOf(world, "better")).toEqual(["n2", "n2"]);
    expect(placesOf(world, "batch")).toEqual(["n1", "n1"]);
    expect(waits(world, "batch")).toEqual(["1 node lacks 1 CPUs free; 1 node lacks node.hostname=n1"]);
    expectRest(world);
  });

  test("one large task ends rather than two small ones", () => {
    const world = nodes(1);
    world.deploy("small", replicated(2), placing({}, { cpus: 1 }));
    world.deploy("large", replicated(1), placing({}, { cpus: 2 }));
    world.run(3_000);
    world.deploy("web", replicated(1), placing(urgent, { cpus: 2 }));
    world.run(6_000);
    expect(give(world)).toEqual(["withdraw large.1: gives way to web.1 of priority 500"]);
    expectRest(world);
  });

  test("nothing ends for a service that does not ask for it, and that is still placed first", () => {
    const world = nodes(1);
    world.deploy("batch", replicated(4), placing({}, { cpus: 1 }));
    world.run(3_000);
    world.deploy("web", replicated(1), placing({ priority: 500 }, { cpus: 1 }));
    world.run(6_000);
    expect(waits(world, "web")).toEqual(["1 node lacks 1 CPUs free"]);
    expectRest(world);
    world.scale("batch", 3);
    world.deploy("another", replicated(1), placing({}, { cpus: 1 }));
    world.run(6_000);
    expect(placesOf(world, "web")).toEqual(["n1"]);
    expect(give(world)).toEqual([]);
    expectRest(world);
  });

  test("a task that writes to a volume never gives way, nor one of the same or higher priority", () => {
    const world = nodes(1);
    world.volume("data");
    const writer = placing({}, { cpus: 1 });
    const mounts = [{ kind: "volume" as const, volume: "data", target: "/data", readOnly: false }];
    world.deploy("store", replicated(1), { ...writer, container: { ...writer.container, mounts } });
    world.deploy("equal", replicated(3), placing({ priority: 500 }, { cpus: 1 }));
    world.run(3_000);
    world.deploy("web", replicated(1), placing(urgent, { cpus: 1 }));
    world.run(6_000);
    expect(waits(world, "web")).toEqual(["1 node lacks 1 CPUs free"]);
    expect(give(world)).toEqual([]);
    expectRest(world);
  });

  test("nothing ends where that would not be enough, or where constraints stand in the way", () => {
    const world = nodes(2);
    world.deploy("batch", replicated(8), placing({}, { cpus: 1 }));
    world.run(3_000);
    world.deploy("huge", replicated(1), placing(urgent, { cpus: 5 }));
    world.deploy("elsewhere", replicated(1), placing({ ...urgent, constraints: [on("n3")] }, { cpus: 1 }));
    world.run(6_000);
    expect(give(world)).toEqual([]);
    expectRest(world);
  });

  test("several tasks that need room do not end more than is needed, and wait while it is made", () => {
    const world = nodes(2);
    world.routesGeneration = 1;
    world.deploy("batch", replicated(8), placing({}, { cpus: 1 }));
    world.run(3_000);
    world.deploy("web", replicated(3), placing(urgent, { cpus: 2 }));
    world.rest();
    expect(give(world)).toHaveLength(6);
    expect(new Set(waits(world, "web"))).toEqual(
      new Set(["room is made on n1: tasks there end first", "room is made on n2: tasks there end first"]),
    );
    world.run(15_000);
    expect(placesOf(world, "web")).toHaveLength(3);
    expect(give(world)).toHaveLength(6);
    expect(placesOf(world, "batch")).toHaveLength(2);
    expectRest(world);
  });

  test("a published port is room too", () => {
    const world = nodes(1);
    const ports = [{ target: 80, published: { from: 80, to: 80 }, protocol: "tcp", mode: "host" }] as const;
    world.deploy("batch", replicated(1), { ...placing({}), ports });
    world.run(3_000);
    world.deploy("web", replicated(1), { ...placing(urgent), ports });
    world.run(6_000);
    expect(placesOf(world, "web")).toEqual(["n1"]);
    expect(waits(world, "batch")).toEqual(["1 node has port 80/tcp taken by web"]);
    expectRest(world);
  });

  test("a task that keeps failing ends nobody", () => {
    const world = nodes(1);
    world.broken.add("web:v1");
    const failing = placing(urgent, { cpus: 4 });
    world.deploy("web", replicated(1), { ...failing, restart: { ...failing.restart, maxAttempts: 1 } });
    world.run(3_000);
    world.deploy("batch", replicated(2), placing({}, { cpus: 2 }, "batch:v1"));
    for (const task of world.running("web")) world.status(task.id, { state: "failed", exhausted: true });
    for (const task of world.live("web")) world.status(task.id, { state: "failed", exhausted: true, attempt: 2 });
    world.run(1_500);
    expect(placesOf(world, "batch")).toEqual(["n1", "n1"]);
    world.run(10_000);
    expect(give(world)).toEqual([]);
  });

  test("once room is made it goes to who asked for it, also when the node is lost in between", () => {
    const world = nodes(2);
    world.deploy("batch", replicated(8), placing({}, { cpus: 1 }));
    world.run(3_000);
    world.deploy("web", replicated(1), placing(urgent, { cpus: 4 }));
    world.rest();
    const [reason = ""] = waits(world, "web");
    world.lose(nodeId(/on (n\d)/.exec(reason)?.[1] ?? ""));
    world.run(20_000);
    expect(placesOf(world, "web")).toHaveLength(1);
    expectRest(world);
  });

  test("whatever the priorities, it comes to rest, and nobody of higher priority gave way", () => {
    const service = fc.record({
      replicas: fc.integer({ min: 1, max: 6 }),
      cpus: fc.constantFrom(0.5, 1, 2, 3),
      priority: fc.constantFrom(0, 0, 5, 10, 500),
      preempt: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(service, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        (services, count) => {
          const world = nodes(count);
          const priorities = new Map<string, number>();
          for (const [at, { replicas, cpus, priority, preempt }] of services.entries()) {
            priorities.set(`s${at}`, priority);
            world.deploy(
              `s${at}`,
              replicated(replicas),
              placing({ priority, preempt: preempt && priority > 0 }, { cpus }),
            );
            world.run(1_000);
          }
          world.run(20_000);
          expectRest(world);
          for (const line of give(world)) {
            const [, victim = "", winner = ""] = /withdraw (s\d)\.\d+: gives way to (s\d)\./.exec(line) ?? [];
            expect(priorities.get(winner) ?? 0).toBeGreaterThan(priorities.get(victim) ?? 999);
          }
          expect(give(world).length).toBeLessThanOrEqual(60);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});

function on(name: string) {
  return { attribute: "node.hostname", operator: "==" as const, value: name };
}
