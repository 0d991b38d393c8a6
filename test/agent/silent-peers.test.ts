// What counts when a peer says nothing, and what a node says itself.

import { beforeEach, describe, expect, test } from "vitest";
import { createVerifier } from "../../src/auth/verifier.ts";
import { PEER_INTERVAL_MS } from "../../workers/agent/peers/peers.ts";
import { settle } from "../fakes/fake-clock.ts";
import { taskId } from "./agent-world.ts";
import { until } from "./link.ts";
import { endpoint, keys, nodeOf, PEER, PeerWorld, SELF } from "./peer-world.ts";

let world: PeerWorld;
beforeEach(() => {
  world = new PeerWorld();
});

describe("a peer that falls silent", () => {
  const SILENCE_MS = 4 * PEER_INTERVAL_MS;

  test("has its endpoints tried; what answers stays, what does not is hidden after two attempts and back with the first answer", async () => {
    await world.begin();
    await world.spoken(2);
    world.endpoints = [endpoint(PEER, 2)];
    await world.clock.advance(SILENCE_MS);
    expect(world.links.tried.length).toBeGreaterThan(0);
    expect(world.standing(2)).toBe("in");
    world.links.isThere = false;
    await world.clock.advance(3 * PEER_INTERVAL_MS);
    expect(world.standing(2)).toBe("waiting");
    expect(world.changes).toBe(1);
    world.links.isThere = true;
    await world.clock.advance(2 * PEER_INTERVAL_MS);
    expect(world.standing(2)).toBe("in");
  });

  test("is tried at once again only when it is silent: while it speaks it knows best", async () => {
    await world.begin();
    world.endpoints = [endpoint(PEER, 2)];
    world.links.isThere = false;
    const stream = await world.spoken(2);
    for (let round = 0; round < 20; round++) {
      await world.clock.advance(PEER_INTERVAL_MS);
      await world.say(stream, 2);
    }
    expect(world.links.tried).toEqual([]);
    expect(world.standing(2)).toBe("in");
  });

  test("is not shown any more by what it said, and hidden for ten seconds, or for as long as no coordinator is there", async () => {
    await world.begin();
    world.endpoints = [endpoint(PEER, 2), endpoint(PEER, 4, "waiting")];
    await world.spoken(4);
    expect([world.standing(2), world.standing(4)]).toEqual(["waiting", "in"]);
    await world.clock.advance(SILENCE_MS);
    expect([world.standing(2), world.standing(4)]).toEqual(["waiting", "waiting"]);
    world.isGranted = false;
    await world.clock.advance(60_000);
    expect(world.standing(2)).toBe("waiting");
    world.isGranted = true;
    await world.clock.advance(PEER_INTERVAL_MS);
    expect(world.standing(2)).toBe("in");
  });

  test("after the routes hid its task, which its last word still shows for a moment, is hidden once that counts no more", async () => {
    await world.begin();
    world.endpoints = [endpoint(PEER, 2)];
    await world.spoken(2);
    world.endpoints = [endpoint(PEER, 2, "waiting")];
    world.peers.routesChanged();
    expect([world.standing(2), world.changes]).toEqual(["in", 0]);
    await world.clock.advance(SILENCE_MS);
    expect([world.standing(2), world.changes]).toEqual(["waiting", 1]);
  });

  test("is tried a bounded number of endpoints at a time, each in its turn", async () => {
    await world.begin();
    world.endpoints = Array.from({ length: 150 }, (_, at) => ({ ...endpoint(PEER, 2), address: `10.210.2.${at}` }));
    await world.clock.advance(SILENCE_MS);
    const first = world.links.tried.length;
    expect(first).toBeLessThanOrEqual(64 * 2);
    await world.clock.advance(3 * PEER_INTERVAL_MS);
    expect(new Set(world.links.tried).size).toBe(150);
  });
});

describe("the own node", () => {
  test("judges its own tasks by what it sees, and by the routes until it has looked", async () => {
    await world.begin();
    expect(world.standing(1)).toBe("in");
    world.ready = new Set();
    world.peers.changed();
    expect(world.standing(1)).toBe("waiting");
    expect(world.changes).toBe(1);
    world.ready = undefined;
    expect(world.standing(1)).toBe("in");
  });

  test("says to each peer which of its tasks are ready, at once when that changes, and again and again", async () => {
    await world.begin();
    const [stream] = world.links.dialled;
    if (stream === undefined) throw new Error("it speaks to its peers");
    const frames: { readonly type: string }[] = [];
    stream.onFrame((frame) => void frames.push(frame));
    stream.send({ type: "challenge", nonce: "1234" });
    await until("it answers", () => frames.length > 0);
    const token = (frames[0] as { readonly token?: string }).token ?? "";
    const claims = await createVerifier(() => [keys[SELF]?.publicJwk ?? ""]).verify(token);
    expect(claims).toMatchObject({ iss: SELF, scope: "peer:ready", challenge: "1234" });
    stream.send({ type: "heard" });
    await settle();
    expect(frames.at(-1)).toEqual({ type: "ready", tasks: [taskId(1)] });
    world.ready = new Set();
    world.peers.changed();
    await world.clock.advance(60);
    expect(frames.at(-1)).toEqual({ type: "ready", tasks: [] });
    const before = frames.length;
    for (let change = 0; change < 1_000; change++) world.peers.changed();
    await world.clock.advance(60);
    expect(frames.length - before).toBeLessThanOrEqual(2);
    await world.clock.advance(2 * PEER_INTERVAL_MS);
    expect(frames.length - before).toBeGreaterThanOrEqual(2);
  });

  test("opens a stream again that ends, is refused, or is not answered", async () => {
    await world.begin(nodeOf(SELF, 1), nodeOf(PEER, 2));
    world.links.dialled[0]?.close("gone");
    await world.clock.advance(400);
    expect(world.links.dialled).toHaveLength(2);
    world.links.dialled[1]?.send({ type: "challenge", nonce: "1" });
    await world.clock.advance(10_000);
    expect(world.links.dialled.length).toBeGreaterThan(2);
    world.links.canDial = false;
    world.links.dialled.at(-1)?.close("gone");
    await world.clock.advance(10_000);
    world.links.canDial = true;
    const before = world.links.dialled.length;
    await world.clock.advance(3_000);
    expect(world.links.dialled.length).toBeGreaterThan(before);
  });
});
