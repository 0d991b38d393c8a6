// What happens to tasks when nodes go, come back, are silent, drained or removed; each test ends with a plan that has nothing left to do.

import { describe, expect, test } from "vitest";
import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import { template, UNTIL_DONE, WorldModel } from "../../fakes/world-model.ts";

const three = { kind: "replicated", replicas: 3 } as const;
const [N1, N2, N3] = [asId<"node">("n1"), asId<"node">("n2"), asId<"node">("n3")];

function running(from = template()): WorldModel {
  const world = new WorldModel();
  for (const name of ["n1", "n2", "n3"]) world.node(name, { disk: "ssd" });
  world.deploy("web", three, from);
  world.run(12_000);
  return world;
}

function nodesOf(world: WorldModel): readonly (NodeId | undefined)[] {
  return world
    .running("web")
    .map((task) => task.nodeId)
    .sort();
}

function silence(world: WorldModel): void {
  for (const id of [N1, N2, N3]) world.presence.set(id, "silent");
}

describe("a coordinator that starts", () => {
  test("touches nothing while no node has answered yet", () => {
    const world = running();
    silence(world);
    expect(world.plan()).toEqual([]);
  });

  test("does not take a node that was lost before for one that is back", () => {
    const world = running();
    world.lose(N2);
    world.run(3_000);
    const live = world.live("web").map((task) => task.id);
    silence(world);
    expect(world.plan()).toEqual([]);
    world.presence.set(N1, "ready").set(N3, "ready");
    world.run(3_000);
    expect(world.live("web").map((task) => task.id)).toEqual(live);
  });

  test("does not end what is to move while the nodes that could take it are silent", () => {
    const world = running();
    world.availability(N1, "drain");
    silence(world);
    world.presence.set(N1, "ready");
    world.run(5_000);
    expect(nodesOf(world)).toContain(N1);
    for (const id of [N2, N3]) world.presence.set(id, "ready");
    world.run(10_000);
    expect(nodesOf(world)).toHaveLength(3);
    expect(nodesOf(world)).not.toContain(N1);
    expect(world.plan()).toEqual([]);
  });
});

describe("the valve", () => {
  test("while it is shut no lost node's task is replaced; when it opens they are", () => {
    const world = running();
    world.valveShut = true;
    world.lose(N2);
    world.run(10_000);
    expect(world.live("web").length).toBe(3);
    world.valveShut = false;
    world.run(5_000);
    expect(nodesOf(world)).toHaveLength(3);
    expect(nodesOf(world)).not.toContain(N2);
  });
});

describe("stopping by choice", () => {
  function withRoutes(): WorldModel {
    const world = running();
    world.routesGeneration = 7;
    for (const id of [N1, N2, N3]) world.progress.set(id, { routesApplied: 7, workApplied: 0 });
    world.scale("web", 2);
    world.rest();
    return world;
  }

  test("waits until every node has applied routes without the task", () => {
    const world = withRoutes();
    expect(world.tasks("web").filter((task) => task.withdrawal !== undefined)).toHaveLength(1);
    for (const id of [N1, N2]) world.progress.set(id, { routesApplied: 8, workApplied: 0 });
    world.rest();
    expect(world.tasks("web").every((task) => task.desired === "running")).toBe(true);
    world.progress.set(N3, { routesApplied: 8, workApplied: 0 });
    world.rest();
    expect(world.tasks("web").filter((task) => task.desired !== "running")).toHaveLength(1);
    expect(world.plan()).toEqual([]);
  });

  test("does not wait for a lost node, nor longer than ten seconds for any, and wakes up for that", () => {
    const world = withRoutes();
    expect(world.wakeAtMs).toBe(world.nowMs + 10_000);
    for (const id of [N1, N2]) world.progress.set(id, { routesApplied: 8, workApplied: 0 });
    world.nowMs += 9_999;
    expect(world.plan()).toEqual([]);
    world.nowMs += 1;
    world.rest();
    expect(world.tasks("web").filter((task) => task.desired !== "running")).toHaveLength(1);
  });
});

describe("nodes", () => {
  test("a node confirmed dead loses its tasks for good, at once", () => {
    const world = running();
    world.lose(N2);
    const record = world.state.node.get(N2);
    if (record === undefined) expect.fail("no node");
    world.state.node.set(N2, { ...record, confirmedDeadAtMs: world.nowMs });
    world.run(3_000);
    expect(world.live("web").some((task) => task.nodeId === N2)).toBe(false);
    expect(nodesOf(world)).toHaveLength(3);
    expect(world.plan()).toEqual([]);
  });

  test("a removed node leaves no task behind", () => {
    const world = running();
    world.state.node.delete(N3);
    world.state.nodeStatus.delete(N3);
    world.presence.delete(N3);
    world.run(5_000);
    expect(world.live("web").some((task) => task.nodeId === N3)).toBe(false);
    expect(nodesOf(world)).toHaveLength(3);
    expect(world.plan()).toEqual([]);
  });

  test("a task whose node lost the label that it asks for moves, start-first", () => {
    const constraints = [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] as const;
    const world = running(template({ placement: { constraints, spreadOver: [], maxPerNode: 0, platforms: [] } }));
    const record = world.state.node.get(N1);
    if (record === undefined) expect.fail("no node");
    world.state.node.set(N1, { ...record, labels: {} });
    world.run(10_000, () => expect(world.running("web").length).toBeGreaterThanOrEqual(3));
    expect(nodesOf(world)).not.toContain(N1);
    expect(world.plan()).toEqual([]);
  });

  test("a paused node keeps what it has and gets nothing new", () => {
    const world = running();
    world.availability(N1, "pause");
    world.scale("web", 6);
    world.run(5_000);
    expect(nodesOf(world).filter((id) => id === N1)).toHaveLength(1);
    expect(world.running("web")).toHaveLength(6);
    expect(world.plan()).toEqual([]);
  });

  test("draining ends even what fits nowhere else, which then says why it waits", () => {
    const ports = [{ target: 80, published: { from: 80, to: 80 }, protocol: "tcp", mode: "host" }] as const;
    const world = running(template({ ports }));
    world.availability(N1, "drain");
    world.run(5_000);
    expect(nodesOf(world)).toEqual([N2, N3]);
    expect(world.live("web").find((task) => task.nodeId === undefined)?.waiting).toBe(
      "2 nodes have port 80/tcp taken by another task of the service; 1 node is draining",
    );
    expect(world.plan()).toEqual([]);
  });

  test("a drained node's data stays where it is, and its task says so", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2"]) world.node(name);
    world.volume("data");
    world.deploy("store", { kind: "replicated", replicas: 1 }, template({ volume: "data" }));
    world.run(8_000);
    world.availability(N1, "drain");
    world.run(5_000);
    expect(world.running("store")).toEqual([]);
    expect(world.live("store")[0]?.waiting).toBe("its data is on n1, which is draining");
    world.availability(N1, "active");
    world.run(5_000);
    expect(world.running("store").map((task) => task.nodeId)).toEqual([N1]);
    expect(world.plan()).toEqual([]);
  });

  test("a service that is removed while a node is away goes from there when it is back", () => {
    const world = running();
    world.lose(N2);
    world.state.service.delete("web");
    world.run(5_000);
    expect(world.tasks("web").map((task) => `${task.nodeId} ${task.desired}`)).toEqual(["n2 remove"]);
    world.comeBack(N2);
    world.run(2_000);
    expect(world.tasks("web")).toEqual([]);
    expect(world.state.serviceVersion.size).toBe(0);
    expect(world.plan()).toEqual([]);
  });
});

describe("restart policies", () => {
  test("a task that may not be restarted is left as it ended", () => {
    const restart = { condition: "none", delayMs: 1_000, maxAttempts: 0, windowMs: 0 } as const;
    const world = running(template({ restart }));
    const [task] = world.live("web");
    if (task === undefined) expect.fail("no task");
    world.status(task.id, { state: "failed", exhausted: true });
    world.run(60_000);
    expect(world.live("web").map((one) => one.id)).toContain(task.id);
    expect(world.plan()).toEqual([]);
  });

  test("a task that completed too often under condition any gets another place", () => {
    const world = running();
    const [task] = world.live("web");
    if (task === undefined) expect.fail("no task");
    world.status(task.id, { state: "complete", exitCode: 0, exhausted: true });
    world.run(10_000);
    expect(world.live("web").map((one) => one.id)).not.toContain(task.id);
    expect(world.running("web")).toHaveLength(3);
    expect(world.plan()).toEqual([]);
  });
});

describe("a slot whose old version never worked", () => {
  test("is emptied of all of it, on a draining node too, once a newer version works", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    world.broken.add("bad");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template({ image: "bad" }), { parallelism: 0 });
    world.run(3_000);
    const [first] = world.live("web");
    world.availability(asId(first?.nodeId ?? ""), "drain");
    world.run(3_000);
    expect(world.live("web")).toHaveLength(2);
    world.deploy("web", { kind: "replicated", replicas: 1 }, template({ image: "good" }), {
      parallelism: 0,
      order: "start-first",
    });
    world.run(30_000);
    expect(world.live("web").map((task) => task.specVersion)).toEqual([2]);
    expect(world.plan()).toEqual([]);
  });
});

describe("a node that comes back", () => {
  test("keeps no replacement of a task that did its work while its node was away", () => {
    const one = { kind: "replicated", replicas: 1 } as const;
    const world = new WorldModel();
    for (const name of ["n1", "n2"]) world.node(name);
    world.deploy("web", one, template({ restart: UNTIL_DONE }));
    world.run(12_000);
    const original = world.live("web")[0] ?? expect.fail("nothing runs");
    const away = original?.nodeId ?? expect.fail("it runs nowhere");
    world.lose(away);
    world.rest();
    expect(world.live("web")).toHaveLength(2);
    world.presence.set(away, "ready");
    world.status(original.id, { state: "complete", exitCode: 0, exhausted: true });
    world.rest();
    expect(world.live("web")).toEqual([original]);
    expect(world.plan()).toEqual([]);
  });
});

describe("a slot whose working task is on a draining node", () => {
  test("loses the failed tasks of newer versions first, and then moves", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2"]) world.node(name);
    const one = { kind: "replicated", replicas: 1 } as const;
    const update = { order: "start-first", failureAction: "rollback" } as const;
    world.deploy("web", one, template({ image: "good" }), update);
    world.run(12_000);
    const [working] = world.live("web");
    world.broken.add("bad");
    world.deploy("web", one, template({ image: "bad" }), update);
    world.rest();
    world.availability(asId(working?.nodeId ?? ""), "drain");
    world.run(30_000);
    expect(world.live("web")).toMatchObject([{ specVersion: 1 }]);
    expect(world.live("web")[0]?.nodeId).not.toBe(working?.nodeId);
    expect(world.plan()).toEqual([]);
  });

  test("is emptied once the replacement has done its work", () => {
    const world = running(template({ restart: UNTIL_DONE }));
    world.availability(N1, "drain");
    world.rest();
    const next = world.live("web").find((task) => task.replaces !== undefined);
    expect(next?.nodeId).not.toBe(N1);
    world.status(next?.id ?? asId("none"), { state: "complete", exitCode: 0, exhausted: true });
    world.run(30_000);
    expect(nodesOf(world)).not.toContain(N1);
    expect(world.live("web")).toHaveLength(3);
    expect(world.plan()).toEqual([]);
  });

  test("is left by a version that a halted rollout began, where the one before works beside it", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    const one = { kind: "replicated", replicas: 1 } as const;
    world.deploy("web", one, template());
    world.run(12_000);
    const [before] = world.live("web");
    world.deploy("web", one, template({ image: "web:v2" }), { order: "start-first", progressDeadlineMs: 3_000 });
    world.rest();
    const next = world.live("web").find((task) => task.specVersion === 2);
    world.availability(asId(next?.nodeId ?? ""), "drain");
    world.nowMs += 4_000;
    world.rest();
    expect(world.state.rollout.get("web")?.state).toBe("paused");
    world.run(12_000);
    expect(world.live("web").map(({ id }) => id)).toEqual([before?.id]);
    expect(world.plan()).toEqual([]);
  });

  test("moves though it was only made anew by force, and the one that it replaces goes", () => {
    const world = new WorldModel();
    for (const name of ["n1", "n2", "n3"]) world.node(name);
    world.deploy("web", { kind: "replicated", replicas: 1 }, template(), { order: "start-first" });
    world.run(12_000);
    const service = world.state.service.get("web");
    if (service === undefined) expect.fail("no service");
    world.state.service.set("web", { ...service, force: 1 });
    world.rest();
    const next = world.live("web").find((task) => task.force === 1);
    world.availability(asId(next?.nodeId ?? ""), "drain");
    world.run(20_000);
    expect(world.live("web")).toMatchObject([{ force: 1 }]);
    expect(world.live("web")[0]?.nodeId).not.toBe(next?.nodeId);
    expect(world.state.rollout.get("web")?.state).toBe("completed");
    expect(world.plan()).toEqual([]);
  });
});
