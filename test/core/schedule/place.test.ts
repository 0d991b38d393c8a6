// Which node a task gets, and the words for why none takes it.

import { describe, expect, test } from "vitest";
import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import type { PortSpec, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import type { Wanted } from "../../../src/core/schedule/asking.ts";
import { Ledger, makeOf } from "../../../src/core/schedule/ledger.ts";
import { explain, place, type Placement } from "../../../src/core/schedule/place.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";

const WEB = asId<"service">("web");

function wanted(from: TaskTemplate, changes: Partial<Wanted> = {}): Wanted {
  const make = makeOf(WEB, JSON.stringify(from), 0);
  return {
    serviceId: WEB,
    version: 1,
    make,
    template: from,
    mode: { kind: "replicated", replicas: 1 },
    avoid: new Set(),
    ...changes,
  };
}

function ask(world: WorldModel, from: TaskTemplate, changes: Partial<Wanted> = {}): Placement {
  return place(world.world(), new Ledger(world.state, false), world.nowMs, wanted(from, changes));
}

function reason(answer: Placement): string {
  return "reason" in answer ? answer.reason : `placed on ${answer.placed.nodeId}`;
}

function three(): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2", "n3"]) world.node(name);
  return world;
}

function placing(changes: Partial<TaskTemplate["placement"]>): TaskTemplate {
  return template({ placement: { constraints: [], spreadOver: [], maxPerNode: 0, platforms: [], ...changes } });
}

function reserving(cpus: number, memoryBytes = 0, generic: Record<string, number> = {}): TaskTemplate {
  const limits = { cpus: 0, memoryBytes: 0, pids: 0 };
  return template({ resources: { limits, reservations: { cpus, memoryBytes, generic } } });
}

function port(from: number, to = from, hostIp?: string): PortSpec {
  const spec: PortSpec = { target: 80, published: { from, to }, protocol: "tcp", mode: "host" };
  return hostIp === undefined ? spec : { ...spec, hostIp };
}

describe("filters", () => {
  const cases: readonly (readonly [string, (world: WorldModel, id: NodeId) => void, TaskTemplate, string])[] = [
    ["a draining node", (world, id) => world.availability(id, "drain"), template(), "is draining"],
    ["a paused node", (world, id) => world.availability(id, "pause"), template(), "is paused"],
    ["a lost node", (world, id) => world.lose(id), template(), "is down"],
    ["a silent node", (world, id) => world.presence.set(id, "silent"), template(), "does not answer"],
    [
      "a node lost twice in ten minutes",
      (world, id) => {
        for (let loss = 0; loss < 2; loss++) {
          world.lose(id);
          world.comeBack(id);
        }
      },
      template(),
      "was lost twice in ten minutes",
    ],
    [
      "a node without the label",
      () => undefined,
      placing({ constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] }),
      "lacks label disk=ssd",
    ],
    [
      "a node that is not to be it",
      () => undefined,
      placing({ constraints: [{ attribute: "node.hostname", operator: "!=", value: "n1" }] }),
      "lacks node.hostname other than n1",
    ],
    ["a node of another platform", () => undefined, placing({ platforms: ["linux/arm64"] }), "cannot run linux/arm64"],
    ["a node with too few processors", () => undefined, reserving(4.5), "lacks 4.5 CPUs free"],
    ["a node with too little memory", () => undefined, reserving(0, 2 ** 40), "lacks 1048576 MiB of memory free"],
    ["a node without the device", () => undefined, reserving(0, 0, { gpu: 1 }), "lacks 1 gpu"],
    [
      "a node where something else listens",
      () => undefined,
      template({ ports: [port(22)] }),
      "has port 22/tcp taken by something outside davit",
    ],
  ];
  test.each(cases)("%s takes nothing and says why", (_title, prepare, from, why) => {
    const world = new WorldModel();
    const id = world.node("n1");
    prepare(world, id);
    expect(reason(ask(world, from))).toBe(`1 node ${why}`);
    const [explanation] = explain(world.world(), new Ledger(world.state, false), world.nowMs, wanted(from));
    expect(explanation).toMatchObject({ takes: false, reason: why });
  });

  test("an architecture is known by the kernel's name and by the image's", () => {
    expect(reason(ask(three(), placing({ platforms: ["linux/amd64"] })))).toBe("placed on n1");
  });

  test("a node that flapped is trusted again ten minutes after its second loss, and the plan knows when", () => {
    const world = new WorldModel();
    const id = world.node("n1");
    for (let loss = 0; loss < 2; loss++) {
      world.lose(id);
      world.comeBack(id);
    }
    const lostAtMs = world.nowMs;
    expect(ask(world, template())).toMatchObject({ retryAtMs: lostAtMs + 600_000 });
    world.nowMs = lostAtMs + 600_000;
    expect(reason(ask(world, template()))).toBe("placed on n1");
  });

  test("reasons come by frequency", () => {
    const world = three();
    world.node("n4", { disk: "ssd" });
    world.availability(asId("n3"), "drain");
    world.lose(asId("n4"));
    const from = placing({ constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] });
    expect(reason(ask(world, from))).toBe("2 nodes lack label disk=ssd; 1 node is down; 1 node is draining");
  });

  test("without any node the way out is said", () => {
    expect(reason(ask(new WorldModel(), template()))).toBe("there are no nodes: davit node add user@host");
  });

  test("a task that is for one node names that node", () => {
    const world = three();
    world.availability(asId("n2"), "pause");
    expect(reason(ask(world, template(), { onlyNode: asId("n2") }))).toBe("n2 is paused");
  });
});

describe("host ports", () => {
  test("a range gives each task a port of its own until all are taken", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", { kind: "replicated", replicas: 3 }, template({ ports: [port(8080, 8081)] }));
    world.run(3_000);
    expect(world.running("web").flatMap((task) => task.hostPorts.map((one) => one.published))).toEqual([8080, 8081]);
    expect(world.live("web").find((task) => task.nodeId === undefined)?.waiting).toBe(
      "1 node has all ports 8080–8081/tcp taken by another task of the service",
    );
    expect(world.plan()).toEqual([]);
  });

  test("that a service publishes on every node are given to no task", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", { kind: "replicated", replicas: 3 }, template({ ports: [{ ...port(80), mode: "ingress" }] }));
    const service = [...world.state.service.values()].find(({ name }) => name === "web");
    if (service === undefined) throw new Error("it was deployed");
    world.state.service.set(service.id, { ...service, ports: [{ published: 80, target: 80, protocol: "tcp" }] });
    world.run(5_000);
    expect(world.running("web").map((task) => task.hostPorts)).toEqual([[], [], []]);
    expect(reason(ask(world, template({ ports: [port(80)] })))).toBe(
      "1 node has port 80/tcp taken by web, on every node",
    );
  });

  test("one port can be bound on two addresses, but not beside all addresses", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("a", { kind: "replicated", replicas: 1 }, template({ ports: [port(80, 80, "10.0.0.1")] }));
    world.run(2_000);
    expect(reason(ask(world, template({ ports: [port(80, 80, "10.0.0.2")] })))).toBe("placed on n1");
    expect(reason(ask(world, template({ ports: [port(80)] })))).toBe("1 node has port 80/tcp taken by a");
  });
});

describe("ranking", () => {
  test("the node with the fewest tasks of the service comes first, then the least reserved, then the smallest id", () => {
    const world = three();
    expect(reason(ask(world, template()))).toBe("placed on n1");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.run(2_000);
    expect(reason(ask(world, template()))).toBe("placed on n2");
    world.deploy("big", { kind: "replicated", replicas: 1 }, reserving(2));
    world.run(2_000);
    expect(world.running("big")[0]?.nodeId).toBe("n2");
    expect(reason(ask(world, template()))).toBe("placed on n3");
  });

  test("a spread preference counts more than the number of tasks on a node", () => {
    const world = new WorldModel();
    for (const [name, zone] of Object.entries({ n1: "a", n2: "a", n3: "b" })) world.node(name, { zone });
    const spread = placing({ spreadOver: ["node.labels.zone"] });
    world.deploy("web", { kind: "replicated", replicas: 4 }, spread);
    world.run(3_000);
    expect(
      world
        .running("web")
        .map((task) => task.nodeId)
        .sort(),
    ).toEqual(["n1", "n2", "n3", "n3"]);
    expect(world.plan()).toEqual([]);
  });

  test("a node to avoid is taken only when no other will do", () => {
    const world = three();
    expect(reason(ask(world, template(), { avoid: new Set([asId<"node">("n1")]) }))).toBe("placed on n2");
    for (const id of ["n2", "n3"]) world.lose(asId(id));
    expect(reason(ask(world, template(), { avoid: new Set([asId<"node">("n1")]) }))).toBe("placed on n1");
  });

  test("no node gets more than the maximum of a service", () => {
    const world = three();
    world.deploy("web", { kind: "replicated", replicas: 5 }, placing({ maxPerNode: 1 }));
    world.run(3_000);
    expect(world.running("web").length).toBe(3);
    expect(world.live("web").find((task) => task.nodeId === undefined)?.waiting).toBe(
      "3 nodes have their maximum of 1 of the service",
    );
    expect(world.plan()).toEqual([]);
  });
});

describe("addresses", () => {
  test("a freed address is given again only when all others were used", () => {
    const world = new WorldModel();
    world.node("n1");
    const seen = new Set<string>();
    for (let version = 1; version <= 200; version++) {
      world.deploy("web", { kind: "replicated", replicas: 1 }, template({ image: `web:v${version}` }), {
        monitorMs: 0,
      });
      world.run(4_000);
      for (const task of world.running("web")) seen.add(task.address ?? "");
    }
    // the five in history keep theirs; the forgotten ones come round
    expect(seen.size).toBeGreaterThan(5);
    expect(world.running("web").length).toBe(1);
    expect(world.plan()).toEqual([]);
  });

  test("an address that was given again counts as held although its earlier task has ended", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.run(2_000);
    const [task] = world.running("web");
    if (task === undefined) expect.fail("no task");
    const ended = { ...task, id: asId<"task">("zz"), desired: "shutdown" as const };
    world.state.task.set(ended.id, ended);
    world.status(ended.id, { state: "shutdown" });
    const placed = ask(world, template());
    expect("placed" in placed ? placed.placed.address : "").not.toBe(task.address);
  });
});

describe("volumes", () => {
  test("replicas that share a volume are placed together from the first moment", () => {
    const world = three();
    world.volume("data");
    world.deploy("store", { kind: "replicated", replicas: 3 }, template({ volume: "data" }));
    world.run(3_000);
    expect(new Set(world.running("store").map((task) => task.nodeId)).size).toBe(1);
    expect(world.state.volumePin.get("data")?.nodeIds.length).toBe(1);
    expect(world.plan()).toEqual([]);
  });

  test("a global service has the volume on each of its nodes", () => {
    const world = three();
    world.volume("data");
    world.deploy("agent", { kind: "global" }, template({ volume: "data" }));
    world.run(3_000);
    expect(world.running("agent").length).toBe(3);
    expect([...(world.state.volumePin.get("data")?.nodeIds ?? [])].sort()).toEqual(["n1", "n2", "n3"]);
    expect(world.plan()).toEqual([]);
  });
});
