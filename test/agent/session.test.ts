// The agent's session against the coordinator's, both real, with real keys: who is obeyed, what is durable before it acts, what survives
// clocks that jump and networks that swallow.

import { beforeAll, describe, expect, test } from "vitest";
import { createIssuerKey } from "../../src/auth/keys.ts";
import type { EpochChain } from "../../src/core/model/lease.ts";
import type { Claims } from "../../src/ports/signer.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import type { AgentWorld } from "./agent-world.ts";
import { IMAGE, NODE, sectionsOf, taskId, workOf } from "./agent-world.ts";
import { agentWith, CoordinatorSide, createKeys, type Keys } from "./coordinator-side.ts";
import { until } from "./link.ts";

const CHAIN: EpochChain = [
  { epoch: 1, nonce: "a" },
  { epoch: 2, nonce: "b" },
];
const HOUR_MS = 3_600_000;

let keys: Keys;
beforeAll(async () => {
  keys = await createKeys();
});

async function connected(chain = CHAIN): Promise<{
  world: AgentWorld;
  side: CoordinatorSide;
  link: ReturnType<CoordinatorSide["connect"]>["link"];
  session: Awaited<ReturnType<CoordinatorSide["connect"]>["opening"]>;
}> {
  const world = await agentWith(keys).start();
  const side = new CoordinatorSide(keys, chain, world.clock);
  const { link, opening } = side.connect(world);
  const session = await opening;
  return { world, side, link, session };
}

describe("who is obeyed", () => {
  test("an opening by the issuer is answered with the node's own signature, and the agent holds a lease", async () => {
    const { world, side } = await connected();
    await world.clock.advance(10);
    expect(world.core.isConnected).toBe(true);
    expect(side.beats).toBe(1);
    expect(world.core.lease.isHeld).toBe(true);
  });

  const tampered: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
    ["a token for another node", { aud: "m".repeat(25) }, "another"],
    ["a token for another use", { scope: "agent:logs" }, "lacks the scope agent:work"],
    ["a token that answers another challenge", { challenge: "old" }, "another challenge"],
    ["a token without an epoch", { epoch: undefined }, "names no epoch"],
  ];
  test.each(tampered)("%s is refused, and nothing of it is kept", async (_, claims, words) => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    side.tamper = (honest) => JSON.parse(JSON.stringify({ ...honest, ...claims })) as Claims;
    await expect(side.connect(world).opening).rejects.toThrow(words);
    expect(world.core.isConnected).toBe(false);
    expect(world.disk.durable.has("epoch.json")).toBe(false);
  });

  test("a token signed by a stranger's key is refused", async () => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    side.signedBy = await createIssuerKey();
    await expect(side.connect(world).opening).rejects.toThrow("not signed by a known key");
    side.signedBy = { ...(await createIssuerKey()), kid: keys.issuer.kid };
    await expect(side.connect(world).opening).rejects.toThrow("not signed by a known key");
    expect(world.core.isConnected).toBe(false);
  });

  test("an agent that is not the one that joined is not believed", async () => {
    const stranger = { ...keys, agent: await createIssuerKey() };
    const world = await agentWith(stranger).start();
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    await expect(side.connect(world).opening).rejects.toThrow("not signed by a known key");
    await until("the agent hears of it", () => !world.core.isConnected);
    expect(side.heard).toEqual([]);
  });

  test("a recorded opening is worth nothing in another session", async () => {
    const { world, link } = await connected();
    const recorded = link.coordinator.sent.find((frame) => frame.type === "open");
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    const replay = side.connect(world, (other) => {
      other.coordinator.alter = (frame) => (frame.type === "open" && recorded?.type === "open" ? recorded : frame);
    });
    await expect(replay.opening).rejects.toThrow("another challenge");
    expect(world.core.isConnected, "the session that was open stays").toBe(true);
  });

  test("another protocol is refused by either side, in words", async () => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    const old = side.connect(world, (link) => {
      link.agent.alter = (frame) => (frame.type === "challenge" ? { ...frame, protocol: 0 } : frame);
    });
    await expect(old.opening).rejects.toThrow("its agent speaks protocol 0, this coordinator 1");
    const young = side.connect(world, (link) => {
      link.coordinator.alter = (frame) => (frame.type === "open" ? { ...frame, protocol: 2 } : frame);
    });
    await expect(young.opening).rejects.toThrow("this agent speaks protocol 1, not 2");
  });

  test("work, grants and goodbyes before the opening change nothing", async () => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, CHAIN, world.clock);
    const { link, opening } = side.connect(world, (made) => {
      made.coordinator.alter = (frame) =>
        frame.type === "open"
          ? { type: "work", delta: { epoch: 9, generation: 9, put: sectionsOf([NODE, workOf(1)]), drop: [] } }
          : frame;
    });
    link.coordinator.send({ type: "grant", seq: 1, epoch: 2, nonce: "b", leaseMs: 60_000, issuerTimeMs: 0 });
    await expect(opening).rejects.toThrow("work before the opening");
    expect(world.core.lease.isHeld).toBe(false);
    expect(world.disk.durable.has("work.json")).toBe(false);
  });

  test("a coordinator that connects and says nothing is let go after ten seconds", async () => {
    const world = await agentWith(keys).start();
    const side = new CoordinatorSide(keys, CHAIN, new FakeClock());
    const { link } = side.connect(world, (made) => {
      made.coordinator.isCut = true;
    });
    await world.clock.advance(10_001);
    expect(link.agent.closed).toBe("no opening in time");
  });
});

describe("the chain of epochs", () => {
  test("a restarted coordinator, whose chain goes on, is obeyed; the pair is on the disk before the answer leaves", async () => {
    const { world } = await connected();
    expect(JSON.parse(world.disk.durable.get("epoch.json") ?? "")).toEqual({ epoch: 2, nonce: "b" });
    const next = new CoordinatorSide(keys, [...CHAIN, { epoch: 3, nonce: "c" }], world.clock);
    const release = world.disk.hold();
    const { link, opening } = next.connect(world);
    await until("the opening arrived", () => link.coordinator.sent.length === 1);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(
      link.agent.sent.map((frame) => frame.type),
      "no welcome before the disk has it",
    ).toEqual(["challenge"]);
    release();
    await opening;
    expect(JSON.parse(world.disk.durable.get("epoch.json") ?? "")).toEqual({ epoch: 3, nonce: "c" });
  });

  const forks: readonly (readonly [string, EpochChain])[] = [
    ["data from before the last start", [{ epoch: 1, nonce: "a" }]],
    [
      "another coordinator's start of the same number",
      [CHAIN[0] ?? { epoch: 1, nonce: "a" }, { epoch: 2, nonce: "x" }],
    ],
    [
      "more starts, but not this one",
      [
        { epoch: 1, nonce: "a" },
        { epoch: 2, nonce: "x" },
        { epoch: 3, nonce: "y" },
      ],
    ],
  ];
  test.each(forks)("a coordinator with %s is refused as forked history, and the true one stays", async (_, chain) => {
    const { world } = await connected();
    const copy = new CoordinatorSide(keys, chain, world.clock);
    await expect(copy.connect(world).opening).rejects.toMatchObject({ code: "forked_history" });
    expect(copy.forked).toHaveLength(1);
    expect(JSON.parse(world.disk.durable.get("epoch.json") ?? "")).toEqual({ epoch: 2, nonce: "b" });
    expect(world.core.isConnected).toBe(true);
    await world.clock.advance(60_000);
    expect(world.core.lease.isHeld, "beats and grants went on").toBe(true);
  });

  test("what was obeyed is remembered over restarts of the agent", async () => {
    const { world } = await connected();
    await world.stop();
    await world.start();
    const copy = new CoordinatorSide(keys, [{ epoch: 1, nonce: "a" }], world.clock);
    await expect(copy.connect(world).opening).rejects.toMatchObject({ code: "forked_history" });
  });

  test("a newer session ends the older one, and a beat of the older renews nothing any more", async () => {
    const { world, side, link } = await connected();
    await world.clock.advance(10);
    const newer = new CoordinatorSide(keys, [...CHAIN, { epoch: 3, nonce: "c" }], world.clock);
    await newer.connect(world).opening;
    await until("the older is told", () => side.closed.length === 1);
    expect(side.closed[0]).toContain("a newer session of the coordinator took its place");
    expect(link.agent.sent.at(-1)).toMatchObject({ type: "refuse", code: "superseded" });
    expect(world.core.isConnected).toBe(true);
  });
});

describe("keys", () => {
  test("a rotated key travels with an opening by the old one and is known after a restart", async () => {
    const { world, side } = await connected();
    const rotated = await createIssuerKey();
    side.issuer = rotated;
    side.signedBy = keys.issuer;
    await side.connect(world).opening;
    await world.stop();
    await world.start();
    side.signedBy = undefined;
    await side.connect(world).opening;
    expect(world.core.isConnected).toBe(true);
    side.signedBy = keys.issuer;
    await expect(side.connect(world).opening, "the old key is no longer trusted").rejects.toThrow("known key");
  });
});

describe("work", () => {
  test("it arrives, runs, and is told of as applied once it has come to rest", async () => {
    const { world, side, session } = await connected();
    side.sections = sectionsOf([NODE, workOf(1)]);
    side.revision = 7;
    session.sendWork();
    await world.clock.advance(1_100);
    expect(world.status(1)).toMatchObject({ state: "running", healthy: true });
    expect(side.heard.at(-1)).toMatchObject({ id: taskId(1), state: "running", healthy: true });
    expect(side.applied.at(-1)).toBe(7);
  });

  test("it is not told of as applied while a task of it still waits", async () => {
    const { world, side, session } = await connected();
    const hostPorts = [{ published: 8080, target: 80, protocol: "tcp" }] as const;
    world.engine.stubborn.add(IMAGE);
    side.sections = sectionsOf([NODE, workOf(1, { hostPorts })]);
    side.revision = 7;
    session.sendWork();
    await world.clock.advance(100);
    side.sections = sectionsOf([NODE, workOf(1, { hostPorts, desired: "shutdown" }), workOf(2, { hostPorts })]);
    side.revision = 8;
    session.sendWork();
    await world.clock.advance(5_000);
    expect(side.applied.at(-1)).toBe(7);
    await world.clock.advance(10_000);
    expect(world.status(2)?.state).toBe("running");
    expect(side.applied.at(-1)).toBe(8);
  });

  test("a task that is to go before anything of it was made is told as gone", async () => {
    const { world, side, session, link } = await connected();
    side.sections = sectionsOf([NODE, workOf(1, { desired: "remove" })]);
    session.sendWork();
    await world.clock.advance(100);
    expect(link.agent.sent).toContainEqual({ type: "observe", tasks: [], gone: [taskId(1)] });
  });

  test("a change travels as the sections that changed, and the rest is not touched", async () => {
    const { world, side, session, link } = await connected();
    side.sections = sectionsOf([NODE, workOf(1), workOf(2)]);
    session.sendWork();
    await world.clock.advance(100);
    side.revision = 2;
    side.sections = sectionsOf([NODE, workOf(1)]);
    session.sendWork();
    await world.clock.advance(100);
    expect(link.coordinator.sent.at(-1)).toMatchObject({
      type: "work",
      delta: { put: {}, drop: [`task/${taskId(2)}`] },
    });
    expect(world.engine.running.map((container) => container.labels["davit.task"])).toEqual([taskId(1)]);
    expect(world.made).toBe(2);
  });

  test("work that does not fit what the agent holds is asked for anew, all of it", async () => {
    const { world, side, session, link } = await connected();
    side.sections = sectionsOf([NODE, workOf(1)]);
    let spoilt = 0;
    link.coordinator.alter = (frame) =>
      frame.type === "work" && spoilt++ === 0
        ? { ...frame, delta: { ...frame.delta, base: { epoch: 2, generation: 99 } } }
        : frame;
    session.sendWork();
    await world.clock.advance(100);
    expect(link.agent.sent.filter((frame) => frame.type === "resync")).toHaveLength(1);
    expect(link.coordinator.sent.filter((frame) => frame.type === "work")).toHaveLength(2);
    expect(world.status(1)?.state).toBe("running");
  });

  test("work of an earlier epoch is ignored: a stopped coordinator's last word comes too late", async () => {
    const { world, side, session, link } = await connected();
    side.sections = sectionsOf([NODE, workOf(1)]);
    session.sendWork();
    await world.clock.advance(100);
    link.coordinator.send({ type: "work", delta: { epoch: 1, generation: 500, put: {}, drop: [] } });
    await world.clock.advance(100);
    expect(world.core.held.position).toEqual({ epoch: 2, generation: 1 });
    expect(world.engine.running).toHaveLength(1);
  });

  test("an agent that comes back holds its work, and is sent only what changed meanwhile", async () => {
    const { world, side, session } = await connected();
    side.sections = sectionsOf([NODE, workOf(1)]);
    session.sendWork();
    await world.clock.advance(100);
    await world.stop();
    await world.start();
    side.revision = 3;
    side.sections = sectionsOf([NODE, workOf(1), workOf(2)]);
    const { link, opening } = side.connect(world);
    (await opening).sendWork();
    await world.clock.advance(100);
    const delta = link.coordinator.sent.find((frame) => frame.type === "work");
    expect(delta?.type === "work" && Object.keys(delta.delta.put)).toEqual([`task/${taskId(2)}`]);
    expect(world.made).toBe(2);
  });
});

describe("clocks and cuts", () => {
  test.each([HOUR_MS, -HOUR_MS])(
    "a wall clock that steps by %i ms on either side loses no session and no task",
    async (step) => {
      const world = await agentWith(keys).start();
      const theirs = new FakeClock();
      const side = new CoordinatorSide(keys, CHAIN, theirs);
      const { opening, link } = side.connect(world);
      const session = await opening;
      side.sections = sectionsOf([NODE, workOf(1)]);
      session.sendWork();
      await world.clock.advance(3_000);
      for (const clock of [world.clock, theirs]) {
        clock.stepWall(step);
        for (let time = 0; time < 10; time++) {
          await world.clock.advance(2_000);
          await theirs.advance(2_000);
          expect(world.core.lease.isHeld).toBe(true);
        }
      }
      expect(side.closed).toEqual([]);
      expect(link.agent.closed).toBeUndefined();
      expect(world.status(1)).toMatchObject({ state: "running", attempt: 1, healthy: true });
      expect(world.made).toBe(1);
    },
  );

  test.each([HOUR_MS, -HOUR_MS])("a session opens between clocks that are %i ms apart", async (apart) => {
    const world = await agentWith(keys).start();
    const theirs = new FakeClock();
    theirs.stepWall(apart);
    await new CoordinatorSide(keys, CHAIN, theirs).connect(world).opening;
    await world.clock.advance(10);
    expect(world.core.lease.isHeld).toBe(true);
  });

  test("when grants are swallowed the lease ends six seconds after the last granted beat was sent, whatever else is heard", async () => {
    const { world, side, session, link } = await connected();
    await world.clock.advance(2_010);
    const lastGranted = world.core.lease.endsBootMs;
    link.coordinator.alter = (frame) => (frame.type === "grant" ? { ...frame, seq: 0 } : frame);
    for (let time = 0; time < 5; time++) {
      side.revision++;
      side.sections = sectionsOf([NODE, workOf(time + 1)]);
      session.sendWork();
      await world.clock.advance(1_000);
    }
    expect(world.core.lease.endsBootMs).toBe(lastGranted);
    await world.clock.advance(1_500);
    expect(world.core.lease.isHeld).toBe(false);
    expect(world.engine.running.length, "tasks go on without a lease").toBeGreaterThan(0);
  });

  test.each([{ epoch: 3 }, { nonce: "x" }])("a grant of another start (%j) renews nothing", async (other) => {
    const { world, link } = await connected();
    await world.clock.advance(10);
    const { endsBootMs } = world.core.lease;
    link.coordinator.alter = (frame) => (frame.type === "grant" ? { ...frame, ...other } : frame);
    await world.clock.advance(4_000);
    expect(world.core.lease.endsBootMs).toBe(endsBootMs);
  });

  test("when the agent's own frames are swallowed its lease ends, too", async () => {
    const { world, link, side } = await connected();
    await world.clock.advance(10);
    link.agent.isCut = true;
    const beats = side.beats;
    await world.clock.advance(6_100);
    expect(side.beats).toBe(beats);
    expect(world.core.lease.isHeld).toBe(false);
  });

  test("after a restart of the agent only the rest of its lease counts, after a reboot none", async () => {
    const { world } = await connected();
    await world.clock.advance(10);
    const endsBootMs = world.core.lease.endsBootMs;
    await world.stop();
    await world.clock.advance(3_000);
    await world.start();
    expect(world.core.lease.endsBootMs).toBe(endsBootMs);
    expect(world.core.lease.isHeld).toBe(true);
    await world.clock.advance(3_000);
    expect(world.core.lease.isHeld).toBe(false);
    await world.reboot();
    expect(world.core.lease.endsBootMs).toBe(0);
  });
});
