// Streams between agents, as the listener judges them: who may speak, of what, and how much.

import { beforeEach, describe, expect, test } from "vitest";
import { taskId } from "./agent-world.ts";
import { settle } from "../fakes/fake-clock.ts";
import { until } from "./link.ts";
import { endpoint, keys, nodeOf, PEER, PeerWorld, type Queue, resigned, SELF, THIRD, tokenOf } from "./peer-world.ts";

let world: PeerWorld;
beforeEach(() => {
  world = new PeerWorld();
});

describe("who may speak", () => {
  test("is who signs the listener's challenge with the key that the routes tell of the node", async () => {
    await world.begin();
    await world.spoken();
    expect(world.standing(2)).toBe("waiting");
    expect(world.changes).toBe(1);
  });

  test("is nobody else: a stranger's key, another node's, another listener, scope or challenge are cut", async () => {
    await world.begin();
    const first = await world.connect();
    const challenge = world.nonceOf(first);
    const good = await tokenOf(PEER, { challenge });
    const bad: readonly (readonly [string, string])[] = [
      ["nothing", ""],
      ["no token", "x".repeat(100)],
      ["too long", "x".repeat(1_000_000)],
      ["another node's key", await tokenOf(THIRD, { iss: PEER, sub: PEER })],
      ["another node", await tokenOf(PEER, { iss: THIRD })],
      ["another listener", await tokenOf(PEER, { aud: THIRD })],
      ["another use", await tokenOf(PEER, { scope: "agent:session" })],
      ["a recorded answer", good],
    ];
    for (const [what, token] of bad) {
      const stream = await world.connect();
      const own = what.startsWith("another") ? await resigned(token, world.nonceOf(stream)) : token;
      expect(await offered(stream, own), what).toBeDefined();
      await world.say(stream);
    }
    expect(world.standing(2)).toBe("in");
    expect(world.changes).toBe(0);
  });

  test("is no address that is not a peer's, and nobody before it proved itself", async () => {
    await world.begin();
    const stranger = await world.connect("10.210.0.77");
    expect(stranger.peer?.closed).toBe("not a peer");
    const hasty = await world.connect();
    await world.say(hasty);
    expect(hasty.peer?.closed).toContain("no word of a peer");
    expect(world.standing(2)).toBe("in");
  });

  test("is a node only for as long as it is in the routes, with that key", async () => {
    await world.begin();
    const stream = await world.spoken();
    world.follow(nodeOf(SELF, 1), nodeOf(THIRD, 3));
    await settle();
    expect(stream.peer?.closed).toBe("not a peer any more");
    expect(world.standing(2)).toBe("in");
    world.follow(nodeOf(SELF, 1), { ...nodeOf(PEER, 2), agentKey: keys[THIRD]?.publicJwk ?? "" });
    const again = await world.connect();
    expect(await offered(again, await tokenOf(PEER, { challenge: world.nonceOf(again) }))).toBeDefined();
  });

  test("says it in time: a stream without a proof is cut", async () => {
    await world.begin();
    const stream = await world.connect();
    await world.clock.advance(6_000);
    expect(stream.peer?.closed).toBe("no proof in time");
  });
});

describe("what a peer says", () => {
  test("hides and shows its own tasks, and nobody else's", async () => {
    await world.begin();
    const stream = await world.spoken(2, 3, 99);
    world.endpoints = [endpoint(SELF, 1), endpoint(PEER, 2), endpoint(PEER, 4, "waiting"), endpoint(THIRD, 3)];
    await world.say(stream, 4);
    expect([2, 4, 3].map((number) => world.standing(number))).toEqual(["waiting", "in", "in"]);
    await world.say(stream, 2);
    expect([2, 4, 3].map((number) => world.standing(number))).toEqual(["in", "waiting", "in"]);
  });

  test("never shows what is withdrawn", async () => {
    await world.begin();
    world.endpoints = [endpoint(PEER, 2, "out")];
    await world.spoken(2);
    expect(world.standing(2)).toBe("out");
  });

  test("wakes nobody when it changes nothing", async () => {
    await world.begin();
    const stream = await world.spoken(2);
    for (let round = 0; round < 10; round++) await world.say(stream, 2);
    expect(world.changes).toBe(0);
  });

  test("is cut when it is too often, too much, or in another form", async () => {
    await world.begin();
    const often = await world.spoken(2);
    for (let round = 0; round < 100; round++) await world.say(often, 2);
    expect(often.peer?.closed).toBe("too many words");
    const forms: readonly { readonly type: string; readonly [field: string]: unknown }[] = [
      { type: "ready" },
      { type: "ready", tasks: "all" },
      { type: "ready", tasks: [1] },
      { type: "ready", tasks: ["../../etc"] },
      { type: "ready", tasks: Array.from({ length: 5_000 }, (_, at) => taskId(at)) },
      { type: "hide", tasks: [taskId(3)] },
      { type: "speak", token: "again" },
    ];
    for (const form of forms) {
      const stream = await world.spoken(2);
      stream.send(form);
      await settle();
      expect(stream.peer?.closed, JSON.stringify(form).slice(0, 60)).toBeDefined();
    }
    expect(world.standing(3)).toBe("in");
  });

  test("comes by one stream: the newest counts, and more than a few are not listened to", async () => {
    await world.begin();
    const old = await world.spoken(2);
    await world.spoken();
    expect(old.peer?.closed).toBe("a newer stream took its place");
    expect(world.standing(2)).toBe("waiting");
    const many = [];
    for (let count = 0; count < 20; count++) many.push(await world.connect());
    expect(many.filter((stream) => stream.peer?.closed === undefined)).toHaveLength(3);
    const other = await world.connect("10.210.0.3");
    expect(other.peer?.closed).toBeUndefined();
  });
});

/** Sends a token, waits for what becomes of it; gives why the stream was closed. */
async function offered(stream: Queue, token: string): Promise<string | undefined> {
  stream.send({ type: "speak", token });
  await until("the listener has cut the stream", () => stream.peer?.closed !== undefined);
  return stream.peer?.closed;
}
