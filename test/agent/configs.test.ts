// Configs on their way to a container: fetched from the coordinator part by part, checked, kept, shown with the owner and mode that were
// asked for, dropped when nothing mounts them. Both sessions are real.

import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConfigMount } from "../../src/core/model/service-spec.ts";
import { type AgentFrame, CONFIG_PART_CHARS } from "../../src/core/protocol/frames.ts";
import { PART_TIMEOUT_MS } from "../../workers/agent/configs/config-fetcher.ts";
import { claimState } from "../../workers/agent/state/identity.ts";
import { type AgentWorld, NODE, sectionsOf, silentLog, workOf } from "./agent-world.ts";
import { agentWith, CoordinatorSide, createKeys, type Keys } from "./coordinator-side.ts";
import { type Link, until } from "./link.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await createKeys();
});

const TEXT = "listen 8080;\n";
const SITE = idOf(TEXT);

function idOf(contents: string): string {
  return createHash("sha256").update(contents).digest("hex");
}

function mountOf(changes: Partial<ConfigMount> = {}): ConfigMount {
  return { kind: "config", config: SITE, name: "site.conf", target: "/etc/site.conf", mode: 0o444, ...changes };
}

function mounting(...mounts: readonly ConfigMount[]): ReturnType<typeof workOf> {
  return workOf(1, { container: { ...workOf(1).container, mounts } });
}

function sideOf(world: AgentWorld, contents: readonly string[] = [TEXT]): CoordinatorSide {
  const side = new CoordinatorSide(keys, [{ epoch: 1, nonce: "a" }], world.clock);
  for (const text of contents) side.configs.set(idOf(text), Buffer.from(text).toString("base64"));
  return side;
}

/** Opens a session and gives work by it. */
async function connect(world: AgentWorld, side: CoordinatorSide, work: ReturnType<typeof workOf>): Promise<Link> {
  side.sections = sectionsOf([NODE, work]);
  side.revision++;
  const { link, opening } = side.connect(world);
  (await opening).sendWork();
  await until("the work is held", () => world.core.held.tasks.size === 1);
  return link;
}

async function running(world: AgentWorld): Promise<void> {
  for (let turn = 0; turn < 200 && world.engine.running.length === 0; turn++) {
    await world.clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(world.engine.running, `${world.status(1)?.reason}`).toHaveLength(1);
}

function asked(link: Link): readonly AgentFrame[] {
  return link.agent.sent.filter((frame) => frame.type === "wantConfig");
}

describe("a config that a task mounts", () => {
  test("is fetched, and the container is shown a file with the owner and mode that were asked for", async () => {
    const world = await agentWith(keys).start();
    await connect(world, sideOf(world), mounting(mountOf({ mode: 0o440, uid: 101, gid: 7 })));
    await running(world);
    const name = `configs/${SITE}.440.101.7`;
    expect(world.engine.running[0]?.configs).toEqual({ "/etc/site.conf": `/var/lib/davit/${name}` });
    expect(world.disk.durable.get(name)).toBe(TEXT);
    expect(world.disk.ownerships.get(name)).toEqual({ mode: 0o440, uid: 101, gid: 7 });
  });

  test("comes in parts of which one is on its way at a time, so that beats and grants pass between them", async () => {
    const large = "0123456789abcdef".repeat(10_000);
    const world = await agentWith(keys).start();
    const link = await connect(world, sideOf(world, [large]), mounting(mountOf({ config: idOf(large) })));
    await running(world);
    const parts = link.coordinator.sent.filter((frame) => frame.type === "config");
    expect(parts.length).toBe(Math.ceil((Math.ceil(large.length / 3) * 4) / CONFIG_PART_CHARS));
    expect(asked(link)).toHaveLength(parts.length);
    expect(world.disk.durable.get(`configs/${idOf(large)}`)).toBe(large);
  });

  test("is fetched once for all mounts and tasks, and not again for a later attempt", async () => {
    const world = await agentWith(keys).start();
    const link = await connect(world, sideOf(world), mounting(mountOf(), mountOf({ target: "/b", mode: 0o400 })));
    await running(world);
    expect(asked(link)).toHaveLength(1);
    world.engine.exit(world.engine.running[0]?.id ?? "", 1);
    await world.clock.advance(1_500);
    await running(world);
    expect(world.status(1)?.attempt).toBe(2);
    expect(asked(link)).toHaveLength(1);
  });

  test("is there after the agent's restart and the host's reboot, with no coordinator in sight", async () => {
    const world = await agentWith(keys).start();
    await connect(world, sideOf(world), mounting(mountOf()));
    await running(world);
    await world.reboot();
    await world.clock.advance(1_500);
    await running(world);
    expect(world.core.isConnected).toBe(false);
    expect(world.engine.running[0]?.configs).toHaveProperty(["/etc/site.conf"]);
  });

  test("is dropped, with the files that showed it, once no work mounts it", async () => {
    const other = "other";
    const world = await agentWith(keys).start();
    const side = sideOf(world, [TEXT, other]);
    await connect(world, side, mounting(mountOf()));
    await running(world);
    await connect(world, side, mounting(mountOf({ config: idOf(other) })));
    const files = (): readonly string[] => [...world.disk.durable.keys()].filter((name) => name.includes(SITE));
    await until("it is gone", () => files().length === 0);
    expect(world.core.held.tasks.size).toBe(1);
  });

  test("of an older join is not there for the next", async () => {
    const world = await agentWith(keys).start();
    await connect(world, sideOf(world), mounting(mountOf()));
    await running(world);
    expect(world.disk.durable.has(`configs/${SITE}`)).toBe(true);
    await claimState(world.disk, { nodeId: "a", nodeName: "a", clusterId: "a", issuerKeys: [] }, silentLog);
    await claimState(world.disk, { nodeId: "b", nodeName: "b", clusterId: "a", issuerKeys: [] }, silentLog);
    expect([...world.disk.durable.keys()].filter((name) => name.startsWith("configs/"))).toEqual([]);
  });
});

describe("a config that does not come", () => {
  test("while no coordinator is connected holds its task up with that reason, and one that connects ends the wait", async () => {
    const world = await agentWith(keys).start();
    await world.give(mounting(mountOf()));
    await world.clock.advance(60_000);
    expect(world.engine.running).toEqual([]);
    expect(world.status(1)).toMatchObject({
      state: "preparing",
      attempt: 1,
      reason: expect.stringMatching(/config site\.conf has not arrived on n1, and no coordinator is connected/),
    });
    const side = sideOf(world);
    side.revision = 10;
    await connect(world, side, mounting(mountOf()));
    await running(world);
    expect(world.status(1)?.attempt).toBe(1);
  });

  test("because the stream ends in the middle is fetched anew by the next session, in the same attempt", async () => {
    const large = "x".repeat(200_000);
    const world = await agentWith(keys).start();
    const side = sideOf(world, [large]);
    const work = mounting(mountOf({ config: idOf(large) }));
    side.sections = sectionsOf([NODE, work]);
    const { link, opening } = side.connect(world, (other) => {
      other.coordinator.alter = (frame) => {
        if (frame.type === "config" && frame.offset > 0) other.coordinator.close("the line is cut");
        return frame;
      };
    });
    (await opening).sendWork();
    await until("the stream ends", () => link.coordinator.closed !== undefined);
    await until("the agent hears of it", () => !world.core.isConnected);
    await world.clock.advance(10);
    expect(world.engine.running).toEqual([]);
    await connect(world, side, work);
    await running(world);
    expect(world.status(1)?.attempt).toBe(1);
  });

  test("because the coordinator falls silent is asked for again, not waited for without end", async () => {
    const world = await agentWith(keys).start();
    const side = sideOf(world);
    side.sections = sectionsOf([NODE, mounting(mountOf())]);
    let swallowed = 0;
    const { link, opening } = side.connect(world, (other) => {
      other.coordinator.alter = (frame) =>
        frame.type === "config" && swallowed++ === 0 ? { ...frame, config: "0".repeat(64) } : frame;
    });
    (await opening).sendWork();
    await until("it was asked for", () => asked(link).length === 1 && swallowed === 1);
    await world.clock.advance(PART_TIMEOUT_MS + 100);
    await running(world);
    expect(asked(link)).toHaveLength(2);
  });

  test("whole fails the attempt by name, and the next attempt fetches it again", async () => {
    const world = await agentWith(keys).start();
    const side = sideOf(world);
    side.sections = sectionsOf([NODE, mounting(mountOf())]);
    let altered = 0;
    const { opening } = side.connect(world, (other) => {
      other.coordinator.alter = (frame) =>
        frame.type === "config" && altered++ === 0
          ? { ...frame, data: Buffer.from("listen 6666;\n").toString("base64") }
          : frame;
    });
    (await opening).sendWork();
    await until("it arrived", () => altered === 1);
    await until("the attempt ended", () => world.status(1)?.state === "rejected");
    expect(world.status(1)?.reason).toMatch(/arrived damaged/);
    expect(world.disk.durable.has(`configs/${SITE}`)).toBe(false);
    await world.clock.advance(1_500);
    await running(world);
    expect(world.status(1)?.attempt).toBe(2);
  });

  test("because this node has no right to it fails the attempt with that reason", async () => {
    const world = await agentWith(keys).start();
    await connect(world, sideOf(world, []), mounting(mountOf()));
    await until("the attempt ended", () => world.status(1)?.state === "rejected");
    expect(world.status(1)?.reason).toMatch(/the coordinator does not have it for this node/);
  });
});

test("a config that was damaged on the disk is not shown to a container, but fetched again", async () => {
  const world = await agentWith(keys).start();
  const link = await connect(world, sideOf(world), mounting(mountOf()));
  await running(world);
  world.disk.durable.set(`configs/${SITE}`, "listen 6666;\n");
  world.engine.exit(world.engine.running[0]?.id ?? "", 1);
  await world.clock.advance(1_500);
  await until("the attempt ended", () => world.status(1)?.state === "rejected");
  expect(world.status(1)?.reason).toMatch(/config site\.conf is gone from this host, or was damaged/);
  await world.clock.advance(5_000);
  await running(world);
  expect(asked(link)).toHaveLength(2);
  expect(world.disk.durable.get(`configs/${SITE}.444.0.0`)).toBe(TEXT);
});
