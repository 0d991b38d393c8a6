// What the mesh puts into a kernel: golden texts of the plan, of the changes to it from nothing, and of a second look that changes nothing.

import { describe, expect, test } from "vitest";
import { changesTo, changesToNothing, differsFromPlan } from "../../../workers/agent/network/mesh/changes.ts";
import { renderPacketRules } from "../../../workers/agent/network/mesh/packet-rules.ts";
import {
  type MeshPlan,
  planMesh,
  renderWireguard,
  type Underlay,
} from "../../../workers/agent/network/mesh/plan-mesh.ts";
import { EMPTY_STATE, type MeshState } from "../../../workers/agent/network/mesh/read-state.ts";
import { renderSetup, renderUnit } from "../../../workers/agent/network/mesh/wireguard-unit.ts";
import { meshNode, meshOf } from "./network-fixtures.ts";

const underlay: Underlay = {
  linkMtu: 1_500,
  endpoints: new Map([
    ["n1", "192.0.2.1"],
    ["n2", "192.0.2.2"],
    ["n3", "192.0.2.3"],
  ]),
  reversePathFilter: 0,
};

function planned(mesh = meshOf(3), below: Underlay = underlay): MeshPlan {
  const plan = planMesh(mesh, "n1", below);
  if (plan === undefined) throw new Error("nothing planned");
  return plan;
}

/** The kernel as it is after the plan was made true. */
function stateOf(plan: MeshPlan): MeshState {
  const link = (mtu: number, address: string): MeshState["mesh"] => ({ mtu, address, isUp: true });
  return {
    mesh: plan.wireguard === undefined ? undefined : link(plan.wireguard.mtu, ""),
    tunnel: link(plan.tunnel.mtu, plan.tunnel.address),
    wireguard: undefined,
    addresses: new Set(plan.addresses),
    routes: new Set(plan.routes),
    rules: new Set(plan.rules),
    neighbours: new Set(plan.neighbours),
    forwarding: new Set(plan.forwarding),
  };
}

describe("with encryption", () => {
  test("all of it, from nothing", async () => {
    const changes = changesTo(planned(), EMPTY_STATE);
    await expect(`${changes.ip.join("\n")}\n---\n${changes.bridge.join("\n")}\n`).toMatchFileSnapshot(
      "../../golden/mesh-wireguard.txt",
    );
  });

  test("peers, for wg syncconf", () => {
    const wireguard = planned().wireguard;
    expect(wireguard === undefined ? "" : renderWireguard(wireguard, "secret=")).toBe(
      "[Interface]\nPrivateKey = secret=\nListenPort = 51820\n\n" +
        "[Peer]\nPublicKey = key2=\nAllowedIPs = 10.210.0.2/32, 10.210.2.0/24\nEndpoint = 192.0.2.2:51820\nPersistentKeepalive = 25\n\n" +
        "[Peer]\nPublicKey = key3=\nAllowedIPs = 10.210.0.3/32, 10.210.3.0/24\nEndpoint = 192.0.2.3:51820\nPersistentKeepalive = 25\n",
    );
  });

  test("a node without a key yet is no peer, and one whose name does not resolve is a peer that must begin", () => {
    const { meshKey: _, ...keyless } = meshNode(2);
    const mesh = meshOf(3, { nodes: [meshNode(1), keyless, meshNode(3)] });
    const endpoints = new Map([["n1", "192.0.2.1"]]);
    expect(planned(mesh, { ...underlay, endpoints }).wireguard?.peers).toEqual([
      { publicKey: "key3=", allowed: ["10.210.0.3/32", "10.210.3.0/24"] },
    ]);
  });

  test("sizes follow the link: 1420 and 1370 on Ethernet, more where there is more, never below what IPv6 software expects", () => {
    const sizes = (linkMtu: number): unknown => {
      const plan = planned(meshOf(2), { ...underlay, linkMtu });
      return [plan.wireguard?.mtu, plan.tunnel.mtu];
    };
    expect(sizes(1_500)).toEqual([1_420, 1_370]);
    expect(sizes(9_000)).toEqual([8_920, 8_870]);
    expect(sizes(1_300)).toEqual([1_280, 1_230]);
  });
});

describe("without encryption", () => {
  test("all of it, from nothing", async () => {
    const changes = changesTo(planned(meshOf(3, { encryption: "off" })), EMPTY_STATE);
    await expect(`${changes.ip.join("\n")}\n---\n${changes.bridge.join("\n")}\n`).toMatchFileSnapshot(
      "../../golden/mesh-off.txt",
    );
  });

  test("a node whose name does not resolve is left out until it does", () => {
    const endpoints = new Map([["n3", "192.0.2.3"]]);
    const plan = planned(meshOf(3, { encryption: "off" }), { ...underlay, endpoints });
    expect(plan.forwarding).toEqual(["02:64:76:00:00:03 dst 192.0.2.3"]);
    expect(plan.routes.some((route) => route.includes("10.210.2.0"))).toBe(false);
  });
});

describe("changes", () => {
  test("are none when all is as it must be", () => {
    for (const encryption of ["wireguard", "off"] as const) {
      const plan = planned(meshOf(3, { encryption }));
      expect(changesTo(plan, stateOf(plan))).toEqual({ ip: [], bridge: [] });
    }
  });

  test("of a node that leaves take its routes, rules and addresses away, and touch nobody else's", () => {
    const changes = changesTo(planned(meshOf(2)), stateOf(planned()));
    expect([...changes.ip, ...changes.bridge].every((line) => / del /.test(line) && !line.includes("10.210.2."))).toBe(
      true,
    );
    expect(changes.ip).toHaveLength(6);
    expect(changes.bridge).toEqual(["fdb del 02:64:76:00:00:03 dst 10.210.0.3 dev davit-vx self"]);
  });

  test("of a route put it in the place of the old one, without a moment with neither", () => {
    const plan = planned();
    const old = new Set([...plan.routes].map((route) => route.replace("src 10.210.0.1", "src 10.210.0.9")));
    const lines = changesTo(plan, { ...stateOf(plan), routes: old }).ip;
    expect(lines.every((line) => line.startsWith("route replace"))).toBe(true);
    expect(lines.length).toBeGreaterThan(0);
  });

  test("of encryption keep the tunnel and its address, so that its routes stay", () => {
    const off = planned(meshOf(3, { encryption: "off" }));
    const lines = changesTo(planned(), stateOf(off)).ip;
    expect(lines.some((line) => line.startsWith("addr del"))).toBe(false);
  });

  test("to nothing take every rule, route and link of ours", () => {
    const lines = changesToNothing(stateOf(planned()));
    expect(lines.slice(-2)).toEqual(["link del davit-vx", "link del davit-wg"]);
    expect(lines.filter((line) => line.startsWith("rule del"))).toHaveLength(4);
  });

  test("of peers are told by key, port and networks; an endpoint that a peer itself told is left alone", () => {
    const wireguard = planned().wireguard;
    if (wireguard === undefined) throw new Error("no wireguard");
    const peers = new Map(
      wireguard.peers.map(({ publicKey, allowed }) => [
        publicKey,
        { allowed: allowed.toSorted(), endpoint: "203.0.113.9:4000", handshakeAt: 0 },
      ]),
    );
    const there = { publicKey: "own=", port: 51_820, peers };
    expect(differsFromPlan(wireguard, "own=", there)).toBe(false);
    expect(differsFromPlan(wireguard, "other=", there)).toBe(true);
    expect(differsFromPlan(wireguard, "own=", { ...there, port: 1 })).toBe(true);
    expect(differsFromPlan(wireguard, "own=", { ...there, peers: new Map([...peers].slice(1)) })).toBe(true);
    expect(differsFromPlan(wireguard, "own=", undefined)).toBe(true);
  });
});

test("a strict reverse path filter of the host is loosened on our links, and otherwise off there", () => {
  const path = "net/ipv4/conf/davit-vx/rp_filter";
  expect(planned().sysctls[path]).toBe("0");
  expect(planned(meshOf(2), { ...underlay, reversePathFilter: 1 }).sysctls[path]).toBe("2");
});

test("a node that is not in the mesh yet plans nothing", () => {
  expect(planMesh(meshOf(2), "n9", underlay)).toBeUndefined();
});

test("packet rules, unit and setup of the mesh", async () => {
  const changes = changesTo(planned(meshOf(2)), EMPTY_STATE);
  const texts = [
    renderPacketRules(meshOf(3), "n1", underlay),
    renderPacketRules(meshOf(3, { encryption: "off" }), "n1", underlay),
    renderPacketRules(meshOf(1, { encryption: "off" }), "n1", underlay),
    renderUnit("/var/lib/davit/mesh/setup"),
    renderSetup("/var/lib/davit/mesh/wireguard.conf", changes),
  ];
  await expect(texts.join("\n=====\n")).toMatchFileSnapshot("../../golden/mesh-texts.txt");
});
