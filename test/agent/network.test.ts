// The node's network: routes are durable before they are in force, in force before they are acknowledged, and before a container starts.
// Agent and coordinator's session are real; the part is one that notes what it was handed and fails as told.

import { beforeAll, describe, expect, test } from "vitest";
import type { EpochChain } from "../../src/core/model/lease.ts";
import type { MeshRoutes, Routes, RoutesSection, ServiceRoutes } from "../../src/core/model/routes.ts";
import { asId, type TaskId } from "../../src/core/model/ids.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import type { NetworkPart, NetworkView } from "../../src/ports/node-network.ts";
import type { PeerLinks } from "../../src/ports/peer-links.ts";
import { createHasher } from "../../src/system/hasher.ts";
import { NODE, NODE_ID, type AgentWorld, sectionsOf, taskId, workOf } from "./agent-world.ts";
import { agentWith, CoordinatorSide, createKeys, type Keys } from "./coordinator-side.ts";

const CHAIN: EpochChain = [{ epoch: 1, nonce: "a" }];
const hasher = createHasher();

let keys: Keys;
beforeAll(async () => {
  keys = await createKeys();
});

const MESH: MeshRoutes = {
  kind: "mesh",
  addressPool: "10.210.0.0/16",
  servicePool: "10.210.224.0/19",
  encryption: "wireguard",
  port: 51_820,
  nodes: [
    {
      nodeId: NODE_ID,
      name: "n1",
      number: 1,
      subnet: NODE.subnet,
      meshAddress: "10.210.0.1",
      endpoint: { host: "10.0.0.11", port: 51_820 },
    },
  ],
};

function serviceOf(name: string, ...tasks: readonly TaskId[]): ServiceRoutes {
  return {
    kind: "service",
    serviceId: asId<"service">(name),
    name,
    shortName: name,
    balance: "random",
    networks: [],
    ports: [],
    namedPorts: [],
    endpoints: tasks.map((id, at) => ({
      taskId: id,
      nodeId: NODE_ID,
      address: `10.210.1.${10 + at}`,
      slot: at + 1,
      weight: 100,
      standing: "waiting",
    })),
  };
}

function routesOf(sections: Readonly<Record<string, RoutesSection>>): Routes["sections"] {
  return Object.fromEntries(
    Object.entries(sections).map(([key, content]) => [key, { hash: hasher.hash(JSON.stringify(content)), content }]),
  );
}

/** A part that notes the services of each view; it fails while `trouble` is set, and takes as long as `hold` says. */
class NotingPart implements NetworkPart {
  readonly name: string;
  readonly applied: (readonly string[])[] = [];
  trouble: string | undefined;
  hold: Promise<void> = Promise.resolve();
  underWay = 0;

  constructor(name: string) {
    this.name = name;
  }

  async apply(view: NetworkView): Promise<void> {
    this.underWay += 1;
    expect(this.underWay).toBe(1);
    await this.hold;
    this.underWay -= 1;
    if (this.trouble !== undefined) throw new Error(this.trouble);
    this.applied.push(view.services.map((service) => service.name));
  }

  async remove(): Promise<void> {}
}

/** Notes where it is listened, and who is dialled. */
class NotingLinks implements PeerLinks {
  readonly listened: string[] = [];
  readonly dialled: string[] = [];

  async listenAt(address: string): Promise<void> {
    this.listened.push(address);
  }

  async dial(address: string): Promise<never> {
    this.dialled.push(address);
    throw new Error("connection refused");
  }

  async answers(): Promise<boolean> {
    return false;
  }

  close(): void {}
}

async function begun(
  parts: readonly NetworkPart[],
  links?: PeerLinks,
): Promise<{ world: AgentWorld; side: CoordinatorSide }> {
  const world = agentWith(keys);
  world.parts = parts;
  if (links !== undefined) world.peers = { links, verifierOf: (key) => createVerifier(() => [key]) };
  await world.start();
  const side = new CoordinatorSide(keys, CHAIN, world.clock);
  side.routes = routesOf({ mesh: MESH, "service/web": serviceOf("web", taskId(1)) });
  side.routesVersion = 1;
  side.sections = sectionsOf([NODE, workOf(1)]);
  return { world, side };
}

/** Connects and sends what there is, as `Sessions` does. */
async function connect(world: AgentWorld, side: CoordinatorSide) {
  const { link, opening } = side.connect(world);
  const session = await opening;
  session.sendRoutes();
  session.sendWork();
  await world.clock.advance(20);
  return { link, session };
}

/** A second task of the service comes, in the routes and in the work. */
function giveSecondTask(side: CoordinatorSide, session: Awaited<ReturnType<typeof connect>>["session"]): void {
  side.revision = 2;
  side.routesVersion = 2;
  side.routes = routesOf({ mesh: MESH, "service/web": serviceOf("web", taskId(1), taskId(2)) });
  side.sections = sectionsOf([NODE, workOf(1), workOf(2)]);
  session.sendRoutes();
  session.sendWork();
}

describe("peers of a node", () => {
  test("hear from it as soon as its mesh is in force, though its kernel refuses the rules", async () => {
    const [mesh, firewall, links] = [new NotingPart("mesh"), new NotingPart("firewall"), new NotingLinks()];
    mesh.trouble = "no interface";
    firewall.trouble = "the kernel says no";
    const { world, side } = await begun([mesh, firewall], links);
    const { session } = await connect(world, side);
    expect(links.listened).toEqual([]);
    mesh.trouble = undefined;
    await world.clock.advance(1_000);
    expect(links.listened).toContain("10.210.0.1");
    // and one that comes while it goes on refusing
    const [node] = MESH.nodes;
    if (node === undefined) throw new Error("the node is in its mesh");
    const nodes = [node, { ...node, nodeId: asId<"node">("m".repeat(25)), number: 2, meshAddress: "10.210.0.2" }];
    side.routesVersion = 2;
    side.routes = routesOf({ mesh: { ...MESH, nodes }, "service/web": serviceOf("web", taskId(1)) });
    session.sendRoutes();
    await world.clock.advance(100);
    expect(links.dialled).toContain("10.210.0.2");
  });
});

describe("routes on a node", () => {
  test("are in force before a container starts, and acknowledged with the revision that was looked at", async () => {
    const part = new NotingPart("firewall");
    const { world, side } = await begun([part]);
    let release = (): void => {};
    part.hold = new Promise((resolve) => (release = resolve));
    await connect(world, side);
    expect(world.status(1)).toMatchObject({
      state: "preparing",
      reason: "waits for its network on n1: being put in force",
    });
    expect(world.engine.running).toEqual([]);
    expect(side.routesApplied).toEqual([]);
    release();
    await world.clock.advance(50);
    expect(world.status(1)).toMatchObject({ state: "running" });
    expect(side.routesApplied.at(-1)).toBe(1);
    expect(part.applied.at(-1)).toEqual(["web"]);
  });

  test("that do not list a task hold it up", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    side.routes = routesOf({ mesh: MESH });
    const { session } = await connect(world, side);
    expect(world.engine.running).toEqual([]);
    side.revision = 2;
    side.routesVersion = 2;
    side.routes = routesOf({ mesh: MESH, "service/web": serviceOf("web", taskId(1)) });
    session.sendRoutes();
    await world.clock.advance(50);
    expect(world.engine.running).toHaveLength(1);
  });

  test("are on the disk before they are acknowledged, and a later revision without news is acknowledged too", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    const { session } = await connect(world, side);
    expect(world.disk.durable.get("routes.json")).toContain('"generation":1');
    side.revision = 7;
    session.sendRoutes();
    expect(side.routesApplied.at(-1)).toBe(7);
  });

  test("fail in words, are tried again, and hold up what is new, not what runs", async () => {
    const part = new NotingPart("firewall");
    const { world, side } = await begun([part]);
    const { session } = await connect(world, side);
    expect(world.engine.running).toHaveLength(1);
    part.trouble = "nft: no such table";
    giveSecondTask(side, session);
    await world.clock.advance(100);
    expect(world.status(2)?.reason).toBe("waits for its network on n1: firewall: nft: no such table");
    expect((await world.core.nodeFacts()).networkTrouble).toBe("firewall: nft: no such table");
    expect(world.engine.running).toHaveLength(1);
    expect(side.routesApplied.at(-1)).toBe(1);
    expect(session.routesBehindMs).toBeGreaterThan(0);
    part.trouble = undefined;
    await world.clock.advance(1_000);
    expect(world.engine.running).toHaveLength(2);
    expect(side.routesApplied.at(-1)).toBe(2);
    expect(session.routesBehindMs).toBe(0);
    expect((await world.core.nodeFacts()).networkTrouble).toBeUndefined();
  });

  test("of a door for callers from outside hold up their own acknowledgement alone, however long it takes or fails", async () => {
    const firewall = new NotingPart("firewall");
    const door = Object.assign(new NotingPart("ingress"), { isForCallers: true as const });
    const { world, side } = await begun([firewall, door]);
    let release = (): void => {};
    door.hold = new Promise((resolve) => (release = resolve));
    const { session } = await connect(world, side);
    expect(world.engine.running).toHaveLength(1);
    expect(side.routesApplied).toEqual([]);
    giveSecondTask(side, session);
    await world.clock.advance(100);
    expect(world.engine.running).toHaveLength(2);
    door.trouble = "the proxy does not answer";
    release();
    await world.clock.advance(100);
    expect((await world.core.nodeFacts()).networkTrouble).toBe("ingress: the proxy does not answer");
    expect(side.routesApplied).toEqual([]);
    door.trouble = undefined;
    await world.clock.advance(2_000);
    expect(side.routesApplied.at(-1)).toBe(2);
  });

  test("are put in force part by part, the newest at the end", async () => {
    const [mesh, firewall] = [new NotingPart("mesh"), new NotingPart("firewall")];
    const { world, side } = await begun([mesh, firewall]);
    let release = (): void => {};
    mesh.hold = new Promise((resolve) => (release = resolve));
    const { session } = await connect(world, side);
    for (const name of ["two", "three", "four"]) {
      side.revision += 1;
      side.routesVersion += 1;
      side.routes = routesOf({ mesh: MESH, [`service/${name}`]: serviceOf(name, taskId(1)) });
      session.sendRoutes();
      await world.clock.advance(1);
    }
    expect(firewall.applied).toEqual([]);
    release();
    await world.clock.advance(50);
    expect(mesh.applied.at(-1)).toEqual(["four"]);
    expect(firewall.applied.at(-1)).toEqual(["four"]);
    expect(mesh.applied.length).toBeLessThanOrEqual(3);
    expect(side.routesApplied.at(-1)).toBe(4);
  });

  test("are in force again after a reboot without a coordinator, before anything starts", async () => {
    const part = new NotingPart("firewall");
    const { world, side } = await begun([part]);
    await connect(world, side);
    expect(world.engine.running).toHaveLength(1);
    part.applied.length = 0;
    part.trouble = "not yet";
    await world.reboot();
    await world.clock.advance(100);
    expect(world.engine.running).toEqual([]);
    part.trouble = undefined;
    await world.clock.advance(3_000);
    expect(part.applied.length).toBeGreaterThan(0);
    expect(world.engine.running).toHaveLength(1);
  });

  test("are told at the next opening, so that only what differs travels", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    await connect(world, side);
    await world.stop();
    await world.start();
    side.revision = 3;
    side.routesVersion = 2;
    side.routes = { ...side.routes, ...routesOf({ "service/api": serviceOf("api") }) };
    const { link } = await connect(world, side);
    const sent = link.coordinator.sent.filter((frame) => frame.type === "routes");
    expect(sent).toMatchObject([{ delta: { base: { epoch: 1, generation: 1 }, generation: 3, drop: [] } }]);
    expect(Object.keys(sent[0]?.delta.put ?? {})).toEqual(["service/api"]);
    expect(side.routesApplied.at(-1)).toBe(3);
  });
});

describe("routes on their way", () => {
  test("travel in parts that leave room for beats, and are taken over together", async () => {
    const part = new NotingPart("firewall");
    const { world, side } = await begun([part]);
    const names = Array.from({ length: 400 }, (_, at) => `service-${String(at).padStart(3, "0")}`);
    side.routes = routesOf({
      mesh: MESH,
      ...Object.fromEntries(names.map((name) => [`service/${name}`, serviceOf(name, taskId(1))])),
    });
    const { link } = await connect(world, side);
    await world.clock.advance(200);
    const sizes = link.coordinator.sent.flatMap((frame) =>
      frame.type === "routes" ? [JSON.stringify(frame).length] : [],
    );
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThan(32 * 1024);
    expect(part.applied.at(-1)).toEqual(names);
    expect(part.applied.every((services) => services.length === 0 || services.length === 400)).toBe(true);
  });

  test("are one change at a time: what is committed meanwhile follows as one", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    const { link, session } = await connect(world, side);
    for (let revision = 2; revision < 30; revision++) {
      side.revision = revision;
      side.routesVersion = revision;
      side.routes = routesOf({ mesh: MESH, "service/web": serviceOf(`web-${revision}`, taskId(1)) });
      session.sendRoutes();
    }
    await world.clock.advance(50);
    expect(link.coordinator.sent.filter((frame) => frame.type === "routes")).toHaveLength(3);
    expect(side.routesApplied.at(-1)).toBe(29);
  });

  test("on a base that the node does not have are sent anew, all of them", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    const { link, session } = await connect(world, side);
    link.coordinator.alter = (frame) =>
      frame.type === "routes" && frame.delta.base !== undefined
        ? { ...frame, delta: { ...frame.delta, base: { epoch: 9, generation: 9 } } }
        : frame;
    side.revision = 2;
    side.routesVersion = 2;
    side.routes = routesOf({ mesh: MESH, "service/api": serviceOf("api", taskId(1)) });
    session.sendRoutes();
    await world.clock.advance(50);
    expect(side.routesApplied.at(-1)).toBe(2);
    expect(Object.keys(world.core.routes.sections).sort()).toEqual(["mesh", "service/api"]);
  });

  test("of secrets are never on the disk, and are missing after a reboot", async () => {
    const { world, side } = await begun([new NotingPart("firewall")]);
    side.routes = { ...side.routes, ...routesOf({ "secret/key": serviceOf("the-secret") }) };
    await connect(world, side);
    expect(Object.keys(world.core.routes.sections)).toContain("secret/key");
    expect([...world.disk.durable.values()].join()).not.toContain("the-secret");
    await world.stop();
    await world.start();
    expect(Object.keys(world.core.routes.sections)).toContain("secret/key");
    await world.reboot();
    expect(Object.keys(world.core.routes.sections)).not.toContain("secret/key");
    await connect(world, side);
    expect(Object.keys(world.core.routes.sections)).toContain("secret/key");
  });
});
