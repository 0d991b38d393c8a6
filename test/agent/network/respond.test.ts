// Questions and answers as bytes: codes that make every resolver library go on, sizes, and what nobody should send.

import { type Answer, decode, encode, type Packet } from "dns-packet";
import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { respond, Responder } from "../../../workers/agent/network/dns/respond.ts";
import { Zone } from "../../../workers/agent/network/dns/zone.ts";
import { endpoint, meshOf, serviceRoutes } from "./network-fixtures.ts";

const many = Array.from({ length: 40 }, (_, at) => endpoint(1, 100 + at, { slot: at + 1 }));
const zone = new Zone(
  {
    mesh: meshOf(2),
    services: [
      serviceRoutes("shop", "web", { address: "10.210.224.1", endpoints: [endpoint(1, 10)] }),
      serviceRoutes("shop", "many", { endpoints: many }),
    ],
    node: { nodeId: asId<"node">("n1") } as never,
  },
  (items) => items,
);
const asker = zone.askerAt("10.210.1.10");

function question(name: string, more: Partial<Packet> = {}): Buffer {
  return encode({ type: "query", id: 77, flags: 0x100, questions: [{ type: "A", name }], ...more });
}

function answerTo(
  bytes: Uint8Array,
  from = asker,
  over: "udp" | "tcp" = "udp",
): ReturnType<typeof decode> & { readonly code: number } {
  const response = respond(zone, from, bytes, over);
  if (response.kind !== "reply") throw new Error(`no reply: ${response.kind}`);
  const packet = decode(Buffer.from(response.bytes));
  return { ...packet, code: (response.bytes[3] ?? 0) & 0x0f };
}

describe("an answer", () => {
  test("has the question's number and letters, and a short life", () => {
    const answer = answerTo(question("WeB"));
    expect(answer.id).toBe(77);
    expect(answer.questions?.[0]?.name).toBe("WeB");
    expect(answer.answers).toEqual([expect.objectContaining({ name: "WeB", type: "A", data: "10.210.224.1", ttl: 3 })]);
  });

  test("to an unknown label is that there is no such name, not a failure", () => {
    expect(answerTo(question("nothing")).code).toBe(3);
  });

  test("for IPv6 of a known name is empty and no error", () => {
    const answer = answerTo(question("web", { questions: [{ type: "AAAA", name: "web" }] }));
    expect([answer.code, answer.answers]).toEqual([0, []]);
  });

  test("that does not fit says so over UDP, is whole over TCP, and fits more for those who take more", () => {
    const cut = answerTo(question("many"));
    expect([cut.flag_tc, cut.answers]).toEqual([true, []]);
    expect(answerTo(question("many"), asker, "tcp").answers).toHaveLength(40);
    const options: Answer = {
      type: "OPT",
      name: ".",
      udpPayloadSize: 4_096,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    };
    const wide = answerTo(question("many", { additionals: [options] }));
    expect([wide.flag_tc, wide.answers?.length]).toEqual([false, 40]);
  });

  test("to one whose routes did not come yet is a failure, so that it asks again", () => {
    expect(answerTo(question("web"), zone.askerAt("10.210.1.99")).code).toBe(2);
  });

  test("to anybody from outside is a refusal, of outside names too", () => {
    expect(answerTo(question("web"), zone.askerAt("192.0.2.1")).code).toBe(5);
    expect(answerTo(question("example.org"), zone.askerAt("192.0.2.1")).code).toBe(5);
  });
});

describe("an answer that is given again", () => {
  const responder = new Responder(zone);
  const ask = (from: string, bytes: Buffer): ReturnType<typeof decode> => {
    const response = responder.respond(zone.askerAt(from), bytes, "udp");
    if (response.kind !== "reply") throw new Error(response.kind);
    return decode(Buffer.from(response.bytes));
  };

  test("has the number of the question that it answers, and the letters too", () => {
    expect(ask("10.210.1.10", question("web")).id).toBe(77);
    const again = ask("10.210.1.10", question("web", { id: 78 }));
    expect([again.id, again.answers?.length]).toEqual([78, 1]);
    expect(ask("10.210.1.10", question("wEb")).questions?.[0]?.name).toBe("wEb");
  });

  test("is not given to somebody who may know less", () => {
    const host = responder.respond(zone.askerAt("10.210.1.1"), question("many.shop"), "tcp");
    expect(host.kind).toBe("reply");
    expect(ask("10.210.1.10", question("web")).answers).toHaveLength(1);
    const stranger = responder.respond(zone.askerAt("10.210.1.99"), question("web"), "udp");
    expect(stranger.kind === "reply" && (stranger.bytes[3] ?? 0) & 0x0f).toBe(2);
  });
});

describe("bytes that are no question", () => {
  test("are dropped when they are answers or too short, and refused in kind otherwise", () => {
    expect(respond(zone, asker, new Uint8Array(5), "udp")).toEqual({ kind: "drop" });
    expect(respond(zone, asker, encode({ type: "response", id: 1 }), "udp")).toEqual({ kind: "drop" });
    const damaged = question("web");
    damaged.writeUInt16BE(9, 4);
    expect(answerTo(damaged).code).toBe(1);
    const update = question("web");
    update[2] = 5 << 3;
    expect(answerTo(update).code).toBe(4);
    expect(answerTo(question("web", { questions: [{ type: "A", name: "web", class: "CH" }] })).code).toBe(5);
    expect(answerTo(question("web", { questions: [] })).code).toBe(1);
  });

  test("never make it throw, whatever they are", () => {
    const start = question("web");
    for (let seed = 1; seed <= 2_000; seed++) {
      const bytes = Uint8Array.from(start);
      for (let at = 0; at < 4; at++) bytes[(seed * 31 + at * 17) % bytes.length] = (seed * 97 + at * 53) & 0xff;
      expect(() => respond(zone, asker, bytes.subarray(0, 1 + (seed % bytes.length)), "udp")).not.toThrow();
    }
  });
});
