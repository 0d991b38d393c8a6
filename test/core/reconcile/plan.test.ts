// What the planner does to a small world, rule by rule; each test ends with a plan that has nothing left to do.

import { describe, expect, test } from "vitest";
import { template, WorldModel } from "../../fakes/world-model.ts";

function threeNodes(): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2", "n3"]) world.node(name);
  return world;
}

const three = { kind: "replicated", replicas: 3 } as const;

describe("replicated services", () => {
  test("replicas spread over the nodes, one address each, and planning again changes nothing", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    expect(
      world
        .running("web")
        .map((task) => task.nodeId)
        .sort(),
    ).toEqual(["n1", "n2", "n3"]);
    expect(new Set(world.running("web").map((task) => task.address)).size).toBe(3);
    expect(world.plan()).toEqual([]);
  });

  test("a lost node's tasks run elsewhere, those of healthy nodes are not touched, and the original goes after a minute", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    const before = world
      .running("web")
      .filter((task) => task.nodeId !== "n2")
      .map((task) => task.id);
    world.lose(world.node("n2"));
    world.run(5_000);
    expect(world.running("web").length).toBe(3);
    expect(world.running("web").map((task) => task.id)).toEqual(expect.arrayContaining(before));
    world.run(65_000);
    expect(world.live("web").filter((task) => task.nodeId === "n2")).toEqual([]);
  });

  test("when a node comes back soon the original stays and its replacement ends", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    const originals = world
      .live("web")
      .map((task) => task.id)
      .sort();
    world.lose(world.node("n2"));
    world.run(5_000);
    expect(world.live("web").length).toBe(4);
    world.presence.set(world.node("n2"), "ready");
    world.run(5_000);
    expect(
      world
        .live("web")
        .map((task) => task.id)
        .sort(),
    ).toEqual(originals);
    expect(world.plan()).toEqual([]);
  });

  test("a task whose volume is on a lost node waits for it and is never started elsewhere", () => {
    const world = threeNodes();
    world.volume("data");
    world.deploy("store", { kind: "replicated", replicas: 1 }, template({ volume: "data" }));
    world.run(5_000);
    const [task] = world.running("store");
    world.lose(world.node(task?.nodeId ?? ""));
    world.run(30_000);
    expect(world.live("store").map((one) => one.waiting)).toEqual([`its data is on ${task?.nodeId}, which is down`]);
    expect(world.running("store")).toEqual([]);
  });

  test("what fits nowhere says why, by frequency, and is placed when a node gets what it asks for", () => {
    const world = threeNodes();
    world.availability(world.node("n3"), "drain");
    world.deploy(
      "web",
      { kind: "replicated", replicas: 1 },
      template({
        placement: {
          constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }],
          spreadOver: [],
          maxPerNode: 0,
          platforms: [],
        },
      }),
    );
    world.run(1_000);
    expect(world.live("web")[0]?.waiting).toBe("2 nodes lack label disk=ssd; 1 node is draining");
    world.node("n9", { disk: "ssd" });
    world.run(3_000);
    expect(world.running("web").map((task) => task.nodeId)).toEqual(["n9"]);
  });

  test("a fixed host port goes to one task a node, and never where something else listens", () => {
    const world = threeNodes();
    const ports = [{ target: 22, published: { from: 22, to: 22 }, protocol: "tcp", mode: "host" }] as const;
    world.deploy("web", { kind: "replicated", replicas: 1 }, template({ ports }));
    world.run(1_000);
    expect(world.live("web")[0]?.waiting).toBe("3 nodes have port 22/tcp taken by something outside davit");
  });

  test("draining a node moves its tasks without going below the wanted number", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.availability(world.node("n1"), "drain");
    world.run(10_000, () => expect(world.running("web").length).toBeGreaterThanOrEqual(3));
    expect(world.running("web").filter((task) => task.nodeId === "n1")).toEqual([]);
    expect(world.plan()).toEqual([]);
  });

  test("scaling down ends the highest slots, scaling up fills them again", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(5_000);
    world.scale("web", 1);
    world.run(5_000);
    expect(world.running("web").map((task) => task.slot)).toEqual([1]);
    world.scale("web", 4);
    world.run(5_000);
    expect(
      world
        .running("web")
        .map((task) => task.slot)
        .sort(),
    ).toEqual([1, 2, 3, 4]);
  });

  test("exhausted tasks are replaced later and later, on other nodes first, so that nothing spins", () => {
    const world = threeNodes();
    world.broken.add("web:v1");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.run(60_000, () => {
      for (const task of world.live("web"))
        if (world.state.taskStatus.get(task.id)?.state === "failed")
          world.status(task.id, { exhausted: true, state: "failed" });
    });
    const made = world.told.filter((line) => line.startsWith("create web.1"));
    expect(made.length).toBeGreaterThan(3);
    expect(made.length).toBeLessThan(9);
    expect(new Set(made.map((line) => line.split(" on ")[1]?.split(":")[0])).size).toBeGreaterThan(1);
  });
});

describe("global services", () => {
  test("every eligible node has one task, a new node gets one, a drained one loses it", () => {
    const world = threeNodes();
    world.deploy("api", { kind: "global" }, template());
    world.run(5_000);
    world.node("n4");
    world.availability(world.node("n1"), "drain");
    world.run(5_000);
    expect(
      world
        .running("api")
        .map((task) => task.nodeId)
        .sort(),
    ).toEqual(["n2", "n3", "n4"]);
    expect(world.plan()).toEqual([]);
  });

  test("a lost node's task is not replaced elsewhere and is adopted on return", () => {
    const world = threeNodes();
    world.deploy("api", { kind: "global" }, template());
    world.run(10_000);
    const before = world
      .live("api")
      .map((task) => task.id)
      .sort();
    world.lose(world.node("n2"));
    world.run(70_000);
    world.presence.set(world.node("n2"), "ready");
    world.run(5_000);
    expect(
      world
        .live("api")
        .map((task) => task.id)
        .sort(),
    ).toEqual(before);
  });
});

describe("rollouts", () => {
  test("a rolling update changes one slot at a time and keeps the others in service", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.deploy("web", three, template({ image: "web:v2" }));
    world.run(20_000, () => expect(world.running("web").length).toBeGreaterThanOrEqual(2));
    expect(world.running("web").map((task) => task.specVersion)).toEqual([2, 2, 2]);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expect(world.state.serviceVersion.get("web/2")?.stable).toBe(true);
    expect(world.plan()).toEqual([]);
  });

  test("start-first never goes below the wanted number", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.deploy("web", three, template({ image: "web:v2" }), { order: "start-first", parallelism: 2 });
    world.run(20_000, () => expect(world.running("web").length).toBeGreaterThanOrEqual(3));
    expect(world.running("web").map((task) => task.specVersion)).toEqual([2, 2, 2]);
  });

  test("a failing version pauses the rollout with the reason, the rest keeps running", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.broken.add("web:v2");
    world.deploy("web", three, template({ image: "web:v2" }));
    world.run(20_000);
    expect(world.state.rollout.get("web")).toMatchObject({ state: "paused" });
    expect(world.state.rollout.get("web")?.message).toContain("exit code 1");
    expect(world.running("web").length).toBe(2);
    expect(world.plan()).toEqual([]);
  });

  test("with failure action rollback the last stable version comes back by itself and stays", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.broken.add("web:v2");
    world.deploy("web", three, template({ image: "web:v2" }), { failureAction: "rollback" });
    world.run(30_000);
    expect(world.running("web").map((task) => task.specVersion)).toEqual([1, 1, 1]);
    expect(world.state.rollout.get("web")?.state).toBe("rolled_back");
    expect(world.plan()).toEqual([]);
  });

  test("the same template under a new version touches no task", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    const before = world.live("web").map((task) => task.id);
    world.deploy("web", three, template(), { monitorMs: 1_000 });
    world.run(10_000);
    expect(world.live("web").map((task) => task.id)).toEqual(before);
  });

  test("a failure while watching triggers the failure action, one after the monitor time does not", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.deploy("web", three, template({ image: "web:v2" }), {
      failureAction: "rollback",
      parallelism: 0,
      monitorMs: 10_000,
    });
    world.run(4_000);
    expect(world.state.rollout.get("web")?.state).toBe("watching");
    const [task] = world.live("web");
    if (task !== undefined) world.status(task.id, { state: "running", attempt: 2 });
    world.run(30_000);
    expect(world.state.rollout.get("web")?.state).toBe("rolled_back");
  });

  test("a delay separates batches", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(10_000);
    world.deploy("web", three, template({ image: "web:v2" }), { delayMs: 10_000 });
    world.run(8_000);
    expect(world.live("web").filter((task) => task.specVersion === 2).length).toBe(1);
    world.run(30_000);
    expect(world.running("web").map((task) => task.specVersion)).toEqual([2, 2, 2]);
  });

  test("stop-first with a volume starts the new task only when the old has ended", () => {
    const world = threeNodes();
    world.volume("data");
    world.deploy("store", { kind: "replicated", replicas: 1 }, template({ volume: "data" }));
    world.run(5_000);
    world.deploy("store", { kind: "replicated", replicas: 1 }, template({ volume: "data", image: "store:v2" }), {
      order: "start-first",
    });
    world.run(20_000, () => expect(world.running("store").length).toBeLessThanOrEqual(1));
    expect(world.running("store").map((task) => task.specVersion)).toEqual([2]);
  });
});

describe("removal", () => {
  test("a removed service ends its tasks and leaves no trace", () => {
    const world = threeNodes();
    world.deploy("web", three, template());
    world.run(5_000);
    world.state.service.delete("web");
    world.run(5_000);
    expect(world.tasks("web")).toEqual([]);
    expect(world.state.serviceVersion.size).toBe(0);
    expect(world.state.rollout.size).toBe(0);
    expect(world.plan()).toEqual([]);
  });

  test("five ended tasks are kept a slot", () => {
    const world = threeNodes();
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.run(5_000);
    for (let version = 2; version < 12; version++) {
      world.deploy("web", { kind: "replicated", replicas: 1 }, template({ image: `web:v${version}` }));
      world.run(10_000);
    }
    expect(world.tasks("web").filter((task) => task.desired === "shutdown").length).toBe(5);
  });
});
