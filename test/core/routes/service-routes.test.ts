// Which tasks are endpoints, and in which standing; what else a service's section says.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../src/core/model/routes.ts";
import { serviceRoutes } from "../../../src/core/routes/service-routes.ts";
import { JOB, template, WorldModel } from "../../fakes/world-model.ts";

const web = asId<"service">("web");

function running(replicas: number, from = template()): WorldModel {
  const world = new WorldModel();
  world.node("n1");
  world.node("n2");
  world.deploy("web", { kind: "replicated", replicas }, from);
  world.run(4_000);
  return world;
}

function routesOf(world: WorldModel): ServiceRoutes | undefined {
  return serviceRoutes(world.state, web, world.tasks("web"));
}

function standings(world: WorldModel): readonly string[] {
  return routesOf(world)?.endpoints.map((endpoint) => `${endpoint.slot} ${endpoint.standing}`) ?? [];
}

describe("the standing of an endpoint", () => {
  test("is in while its agent finds it running and healthy, and waiting else", () => {
    const world = running(2);
    expect(standings(world)).toEqual(["1 in", "2 in"]);
    const [first, second] = world.tasks("web");
    world.status(first?.id ?? asId(""), { healthy: false });
    world.status(second?.id ?? asId(""), { state: "failed", attempt: 2 });
    expect(standings(world)).toEqual(["1 waiting", "2 waiting"]);
  });

  test("is waiting before the first verdict, though it runs", () => {
    const world = new WorldModel();
    world.node("n1");
    world.deploy("web", { kind: "replicated", replicas: 1 }, template());
    world.rest();
    expect(standings(world)).toEqual(["1 waiting"]);
    world.agents();
    expect(world.running("web")).toHaveLength(1);
    expect(standings(world)).toEqual(["1 waiting"]);
  });

  test("is out once it is withdrawn, and it is listed until its container has ended", () => {
    const world = running(1);
    world.routesGeneration = 5;
    world.scale("web", 0);
    world.plan();
    expect(world.tasks("web")[0]).toMatchObject({ desired: "running", withdrawal: { routesGeneration: 6 } });
    expect(standings(world)).toEqual(["1 out"]);
    for (const id of world.presence.keys()) world.progress.set(id, { workApplied: 0, routesApplied: 6 });
    world.rest();
    expect(world.tasks("web")[0]).toMatchObject({ desired: "shutdown" });
    expect(standings(world)).toEqual(["1 out"]);
    world.agents();
    expect(standings(world)).toEqual([]);
  });

  test("is waiting while its node is lost, and in again with it", () => {
    const world = running(2);
    const lost = world.tasks("web")[0]?.nodeId ?? asId<"node">("");
    world.lose(lost);
    expect(standings(world)).toEqual(["1 waiting", "2 in"]);
    world.comeBack(lost);
    expect(standings(world)).toEqual(["1 in", "2 in"]);
  });

  test("ends with its node's removal", () => {
    const world = running(2);
    world.state.node.delete(world.tasks("web")[0]?.nodeId ?? "");
    expect(standings(world)).toEqual(["2 in"]);
  });

  test("of a job's task is out from the beginning: it is a member of its networks only", () => {
    const world = new WorldModel();
    world.node("n1");
    const mode = { kind: "replicated-job", completions: 1, concurrency: 1 } as const;
    world.deploy("web", mode, template({ networks: [{ network: "shop", aliases: [] }] }), {}, JOB);
    world.rest();
    world.agents();
    expect(standings(world)).toEqual(["1 out"]);
    expect(routesOf(world)?.networks).toEqual([{ network: "shop", aliases: [] }]);
  });
});

describe("a service's section", () => {
  test("tells named ports, inside the container, each name once for a protocol", () => {
    const port = (target: number, protocol: "tcp" | "udp", ...names: readonly string[]) =>
      ({ target, published: { from: target, to: target }, protocol, mode: "ingress", names }) as const;
    const ports = [port(80, "tcp", "web", "http"), port(81, "tcp", "http"), port(53, "udp", "web")];
    expect(routesOf(running(1, template({ ports })))?.namedPorts).toEqual([
      { name: "web", port: 80, protocol: "tcp" },
      { name: "http", port: 80, protocol: "tcp" },
      { name: "web", port: 53, protocol: "udp" },
    ]);
  });

  test("names networks of every version that still has tasks", () => {
    const on = (...networks: readonly string[]) =>
      template({
        image: networks.join("+"),
        networks: networks.map((network) => ({ network, aliases: [`${network}-web`] })),
      });
    const world = running(2, on("a", "b"));
    world.deploy("web", { kind: "replicated", replicas: 2 }, on("b", "c"));
    expect(routesOf(world)?.networks.map(({ network }) => network)).toEqual(["a", "b", "c"]);
    world.run(20_000);
    expect(routesOf(world)?.networks).toEqual([
      { network: "b", aliases: ["b-web"] },
      { network: "c", aliases: ["c-web"] },
    ]);
  });

  test("stays until the last task of a removed service is over, without an address", () => {
    const world = running(1);
    const service = world.state.service.get("web");
    if (service !== undefined) world.state.service.set("web", { ...service, address: "10.210.224.1" });
    expect(routesOf(world)?.address).toBe("10.210.224.1");
    world.state.service.delete("web");
    world.plan();
    world.plan();
    expect(routesOf(world)).toMatchObject({ name: "web", endpoints: [{ standing: "out" }] });
    expect(routesOf(world)).not.toHaveProperty("address");
    world.run(4_000);
    expect(routesOf(world)).toBeUndefined();
  });

  test("is not there for what runs in the node's own network", () => {
    const from = template();
    const world = running(1, { ...from, container: { ...from.container, networkMode: "host" } });
    expect(world.running("web")).toHaveLength(1);
    expect(routesOf(world)).toBeUndefined();
  });
});
