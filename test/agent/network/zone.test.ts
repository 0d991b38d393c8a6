// Names by who asks: services that share a network with the asker, tasks, aliases, ports, and addresses back to names.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { type Asker, Zone } from "../../../workers/agent/network/dns/zone.ts";
import { endpoint, meshOf, serviceRoutes } from "./network-fixtures.ts";

const shopWeb = serviceRoutes("shop", "web", {
  address: "10.210.224.1",
  networks: [
    { network: "shop_default", aliases: [] },
    { network: "proxy", aliases: ["Store.example"] },
  ],
  namedPorts: [{ name: "http", port: 8080, protocol: "tcp" }],
  endpoints: [
    endpoint(1, 10),
    endpoint(2, 10, { slot: 2 }),
    endpoint(3, 10, { slot: 3, standing: "waiting" }),
    endpoint(3, 11, { slot: 4, standing: "out" }),
  ],
});
const shopDb = serviceRoutes("shop", "db", { endpoints: [endpoint(2, 20)] });
const blogWeb = serviceRoutes("blog", "web", {
  address: "10.210.224.2",
  networks: [
    { network: "blog_default", aliases: [] },
    { network: "proxy", aliases: [] },
  ],
  endpoints: [endpoint(1, 30)],
});
const gate = serviceRoutes("gate", "proxy", {
  address: "10.210.224.3",
  networks: [{ network: "proxy", aliases: [] }],
  endpoints: [endpoint(3, 40)],
});
const zone = new Zone(
  { mesh: meshOf(3), services: [shopWeb, shopDb, blogWeb, gate], node: { nodeId: asId<"node">("n1") } as never },
  (items) => items,
);
const inShop = zone.askerAt("10.210.2.20");
const inBlog = zone.askerAt("10.210.1.30");
const inGate = zone.askerAt("10.210.3.40");

function addresses(asker: Asker, name: string): readonly string[] | string {
  const answer = zone.answer(asker, name, "A");
  return answer.kind === "found"
    ? answer.records.map((record) => (record.type === "A" ? record.address : "?"))
    : answer.kind;
}

describe("a name", () => {
  test("of a service in the asker's own stack is its virtual address, by short, full and qualified name", () => {
    for (const name of ["web", "shop_web", "web.shop"]) expect(addresses(inShop, name)).toEqual(["10.210.224.1"]);
  });

  test("that two stacks have means the one of the asker's own stack", () => {
    expect(addresses(inBlog, "web")).toEqual(["10.210.224.2"]);
  });

  test("that two others have means both, and the qualified name tells them apart", () => {
    expect(addresses(inGate, "web")).toEqual(["10.210.224.1", "10.210.224.2"]);
    expect(addresses(inGate, "web.blog")).toEqual(["10.210.224.2"]);
  });

  test("of a service that shares no network with the asker does not exist, and is asked nowhere else", () => {
    for (const name of ["db", "db.shop", "shop_db", "tasks.db", "tasks.db.shop"])
      expect(addresses(inGate, name)).toBe("absent");
  });

  test("of a service without a virtual address is its ready tasks", () => {
    expect(addresses(inShop, "db")).toEqual(["10.210.2.20"]);
  });

  test("given as an alias is known in that network only, in any case of letters", () => {
    expect(addresses(inGate, "store.example")).toEqual(["10.210.224.1"]);
    expect(addresses(inShop, "store.example")).toBe("absent");
  });

  test("with tasks. before it is the ready tasks alone, and with a number before that the one of this slot", () => {
    expect(addresses(inShop, "tasks.web")).toEqual(["10.210.1.10", "10.210.2.10"]);
    expect(addresses(inShop, "tasks.web.shop")).toEqual(["10.210.1.10", "10.210.2.10"]);
    expect(addresses(inShop, "2.tasks.web")).toEqual(["10.210.2.10"]);
    expect(addresses(inShop, "3.tasks.web")).toBe("absent");
  });

  test("of one label that nobody has does not exist; one with dots may be known elsewhere", () => {
    expect(addresses(inShop, "nothing")).toBe("absent");
    expect(addresses(inShop, "tasks.nothing")).toBe("absent");
    expect(addresses(inShop, "example.org")).toBe("unknown");
    expect(addresses(inShop, "")).toBe("absent");
  });

  test("has no address of IPv6, which is not the same as no name", () => {
    expect(zone.answer(inShop, "web", "AAAA")).toEqual({ kind: "found", records: [], additional: [] });
  });
});

describe("a named port", () => {
  test("is the service's name with its port", () => {
    expect(zone.answer(inShop, "_http._tcp.web", "SRV")).toEqual({
      kind: "found",
      records: [{ type: "SRV", name: "_http._tcp.web", target: "web.shop", port: 8080 }],
      additional: [{ type: "A", name: "web.shop", address: "10.210.224.1" }],
    });
  });

  test("of tasks is each ready one, under a name that leads to it alone", () => {
    const answer = zone.answer(inShop, "_http._tcp.tasks.web", "SRV");
    expect(answer.kind === "found" && answer.records.map((record) => record.type === "SRV" && record.target)).toEqual([
      "1.tasks.web.shop",
      "2.tasks.web.shop",
    ]);
    expect(addresses(inShop, "2.tasks.web.shop")).toEqual(["10.210.2.10"]);
  });

  test("that the service does not have is no name; of nobody's service it may be known elsewhere", () => {
    expect(zone.answer(inShop, "_http._udp.web", "SRV").kind).toBe("absent");
    expect(zone.answer(inShop, "_http._tcp.nothing", "SRV").kind).toBe("absent");
    expect(zone.answer(inShop, "_ldap._tcp.example.org", "SRV").kind).toBe("unknown");
    expect(zone.answer(inShop, "_dmarc.example.org", "TXT").kind).toBe("unknown");
    expect(zone.answer(inShop, "_dmarc.web.shop", "TXT").kind).toBe("absent");
  });
});

describe("an address", () => {
  test("leads back to the name of its service or task, for those who may know it", () => {
    const nameOf = (asker: Asker, name: string): unknown => {
      const answer = zone.answer(asker, `${name}.in-addr.arpa`, "PTR");
      return answer.kind === "found"
        ? answer.records.map((record) => record.type === "PTR" && record.target)
        : answer.kind;
    };
    expect(nameOf(inShop, "1.224.210.10")).toEqual(["web.shop"]);
    expect(nameOf(inShop, "10.2.210.10")).toEqual(["2.tasks.web.shop"]);
    expect(nameOf(inGate, "20.2.210.10")).toBe("absent");
    expect(nameOf(inShop, "99.2.210.10")).toBe("absent");
    expect(nameOf(inShop, "8.8.8.8")).toBe("unknown");
  });
});

describe("who asks", () => {
  test("from a node's own address knows all names; from an address that nobody has, none", () => {
    expect(addresses(zone.askerAt("10.210.1.1"), "db.shop")).toEqual(["10.210.2.20"]);
    expect(addresses(zone.askerAt("10.210.0.3"), "db.shop")).toEqual(["10.210.2.20"]);
    expect(zone.askerAt("10.210.1.77")).toEqual({ kind: "stranger" });
    expect(zone.askerAt("192.0.2.9")).toEqual({ kind: "outside" });
  });

  test("is still a member of its networks when it is no longer ready", () => {
    expect(addresses(zone.askerAt("10.210.3.10"), "db")).toEqual(["10.210.2.20"]);
    expect(addresses(zone.askerAt("10.210.3.11"), "db")).toEqual(["10.210.2.20"]);
  });
});
