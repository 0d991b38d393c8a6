// The table of packet rules that a node makes of what it knows, as text; the lab asks nft and the kernel about the same texts.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import { planFirewall } from "../../../workers/agent/network/firewall/plan-firewall.ts";
import { renderRuleset } from "../../../workers/agent/network/firewall/ruleset.ts";
import { activationsOf, endpoint, FACTS, inNetworks, service, taskAt, viewOf } from "./views.ts";

function chain(view: NetworkView, name: string): readonly string[] | undefined {
  return planFirewall(view, FACTS).chains.get(name)?.rules;
}

function elements(view: NetworkView, name: string): readonly string[] {
  const set = planFirewall(view, FACTS).sets.get(name);
  return [...(set?.elements ?? [])].map(([key, value]) => (value === "" ? key : `${key} : ${value}`));
}

const web = service(1, "web", [endpoint("10.210.1.10"), endpoint("10.210.2.10")], {
  ports: [
    { published: 8_000, target: 8_080, protocol: "tcp" },
    { published: 8_000, target: 9_000, protocol: "udp" },
    { published: 5_432, target: 8_080, protocol: "tcp", hostIp: "127.0.0.1" },
  ],
  networks: inNetworks("front", "internal-back"),
});
const db = service(2, "db", [endpoint("10.210.1.11")], {
  balance: "client",
  networks: inNetworks("internal-back"),
  policy: [{ from: asId("s1"), ports: [{ port: 5_432, protocol: "tcp" }] }],
});

describe("the table of packet rules", () => {
  test("is the same text for the same view", async () => {
    const view = viewOf([web, db], {
      tasks: [
        taskAt("10.210.1.10", { hostPorts: [{ published: 9_100, target: 9_100, protocol: "tcp" }] }),
        taskAt("10.210.1.11", { hostPorts: [{ hostIp: "192.0.2.1", published: 53, target: 53, protocol: "udp" }] }),
      ],
    });
    await expect(renderRuleset(planFirewall(view, FACTS))).toMatchFileSnapshot("../../golden/packet-rules.nft");
  });

  test("is not made while the mesh does not list the node", () => {
    const view = viewOf([web]);
    const others = view.mesh.nodes.filter((node) => node.name !== "n1");
    expect(() => planFirewall({ ...view, mesh: { ...view.mesh, nodes: others } }, FACTS)).toThrow(
      "the routes do not list n1 yet",
    );
  });
});

describe("the door of a service", () => {
  test.each([
    ["is not ready", { standing: "waiting" }],
    ["was withdrawn", { standing: "out" }],
    ["has no weight", { weight: 0 }],
  ] as const)("leads to no endpoint that %s, which stays a member of its networks", (_, changes) => {
    const view = viewOf([service(1, "web", [endpoint("10.210.1.10"), endpoint("10.210.2.10", changes)])]);
    expect(chain(view, "service.shop_web.s1")?.at(-1)).toBe("dnat to 10.210.1.10");
    expect(elements(view, "network.front")).toEqual(["10.210.1.10", "10.210.2.10"]);
  });

  test("is not there without an endpoint, nor are those of its published ports", () => {
    const view = viewOf([{ ...web, endpoints: [endpoint("10.210.1.10", { standing: "waiting" })] }]);
    for (const name of ["service_addresses", "published", "published_at"]) expect(elements(view, name)).toEqual([]);
  });

  test("is not there for a service that has no address, whose ports are published all the same", () => {
    const { address: _, ...dnsrr } = web;
    expect(elements(viewOf([dnsrr]), "service_addresses")).toEqual([]);
    expect(elements(viewOf([dnsrr]), "published")).toHaveLength(2);
  });

  test("that is published at one address of the host answers at no other", () => {
    expect(elements(viewOf([web]), "published_at")).toEqual([
      "127.0.0.1 . tcp . 5432 : goto tcp.5432.127/2e/0/2e/0/2e/1",
    ]);
    expect(elements(viewOf([web]), "published")).toEqual(["tcp . 8000 : goto tcp.8000", "udp . 8000 : goto udp.8000"]);
  });
});

describe("members of networks", () => {
  test("that are all internal have no way out", () => {
    expect(chain(viewOf([web, db]), "from.internal-back")?.at(-1)).toBe("goto refused");
    expect(chain(viewOf([web, db]), "from.front.internal-back")?.at(-1)).toBe("goto outward");
  });

  test("reach nobody by a network that the service does not name", () => {
    expect(chain(viewOf([web, db]), "from.internal-back")).toEqual([
      "ip daddr @network.internal-back goto passed",
      "goto refused",
    ]);
  });

  test("that a policy names may call the ports that it names, and nobody else any", () => {
    const rules = chain(viewOf([web, db]), "to.shop_db.s2");
    expect(rules?.slice(1)).toEqual(["ip saddr @caller.s1 tcp dport { 5432 } return", "goto refused"]);
    expect(elements(viewOf([web, db]), "caller.s1")).toEqual(["10.210.1.10", "10.210.2.10"]);
    const { policy: _, ...open } = db;
    expect(elements(viewOf([web, open]), "narrowed")).toEqual([]);
    const closed = viewOf([web, { ...db, policy: [] }]);
    expect(chain(closed, "to.shop_db.s2")?.slice(1)).toEqual(["goto refused"]);
  });

  test("whose names differ in a character only have sets of their own", () => {
    const names = ["a.b", "a-b", "a_b", "a/b", "a b", "A.b", `${"x".repeat(300)}1`, `${"x".repeat(300)}2`];
    const view = viewOf(names.map((name, at) => service(at, `s${at}`, [], { networks: inNetworks(name) })));
    const sets = [...planFirewall(view, FACTS).sets.keys()].filter((name) => name.startsWith("network."));
    expect(new Set(sets).size).toBe(names.length);
    for (const name of sets) expect(name).toMatch(/^[a-zA-Z][a-zA-Z0-9/_.-]{0,254}$/);
  });
});

describe("the door of a service that may fall asleep", () => {
  const awake = service(3, "naps", [endpoint("10.210.2.12")], {
    waking: [8_080, 9_000],
    ports: [
      { published: 7_000, target: 8_080, protocol: "tcp" },
      { published: 7_001, target: 53, protocol: "udp" },
    ],
  });
  const asleep = { ...awake, endpoints: [] };
  const view = (one: typeof awake): NetworkView => viewOf([web, one], { activations: activationsOf([one]) });

  test("leads to its endpoints while it has one, and marks what it leads there", () => {
    expect(chain(view(awake), "service.shop_naps.s3")?.slice(1)).toEqual([
      "ct mark set ct mark | 0x40000",
      "dnat to 10.210.2.12",
    ]);
    expect(chain(view(awake), "tcp.7000")?.[0]).toBe("ct mark set ct mark | 0x50000");
  });

  test("leads to where calls are held while it has none: TCP only, and only at the ports that wake it", () => {
    expect(chain(view(asleep), "service.shop_naps.s3")?.slice(1)).toEqual([
      "tcp dport 8080 dnat ip to 10.210.1.1:41000",
      "tcp dport 9000 dnat ip to 10.210.1.1:41001",
    ]);
    expect(chain(view(asleep), "tcp.7000")).toEqual(["meta l4proto tcp dnat ip to 10.210.1.1:41000"]);
    expect(elements(view(asleep), "published")).not.toContain("udp . 7001 : goto udp.7001");
    expect(chain(view(asleep), "host_door")?.[1]).toBe(
      "ct status dnat ip daddr 10.210.1.1 tcp dport { 41000, 41001 } accept",
    );
    expect(chain(viewOf([web]), "host_door")?.[1]).toMatch(/^ip daddr 10.210.1.1 meta l4proto/);
  });

  test("keeps a policy there too: who may not call it wakes it not, nor at a port that is not for that caller", () => {
    const policy = [{ from: asId<"service">("s1"), ports: [{ port: 9_000, protocol: "tcp" }] }] as const;
    expect(chain(view({ ...asleep, policy }), "service.shop_naps.s3")?.slice(1)).toEqual([
      "ip saddr @caller.s1 tcp dport 9000 dnat ip to 10.210.1.1:41001",
      'iifname != "davit0" tcp dport 8080 dnat ip to 10.210.1.1:41000',
      'iifname != "davit0" tcp dport 9000 dnat ip to 10.210.1.1:41001',
    ]);
  });
});

test("with encryption off what containers send each other through the tunnel enters nowhere", () => {
  const view = viewOf([web]);
  const off = { ...view, mesh: { ...view.mesh, encryption: "off" } } as const;
  expect(chain(view, "mark_entries")?.[0]).toMatch(/^iifname "davit-vx" ct state new/);
  expect(chain(off, "mark_entries")?.[0]).toMatch(/^iifname "davit-vx" ip saddr != 10.210.0.0\/16 ct state new/);
});
