// What the network between nodes asks of a host before it joins: kernel, port, addresses, programs, and the host's own firewall.

import { describe, expect, test } from "vitest";
import { CLOSE_FIREWALL } from "../../src/ssh/bootstrap/host-firewall.ts";
import { judgePreflight } from "../../src/ssh/bootstrap/judge-preflight.ts";
import { planFirewall, planTools } from "../../src/ssh/bootstrap/network-plan.ts";
import { context, factsOf } from "./host-facts.ts";

const FEATURES = "overlay yes\nbridge yes\nveth yes\nnf_tables yes\nvxlan yes\nbr_netfilter yes\nwireguard";

describe("judging a host", () => {
  test.each(["nf_tables", "vxlan", "br_netfilter"])(
    "a kernel without %s cannot join, and is told what needs it",
    (name) => {
      const [finding] = judgePreflight(
        factsOf({ features: `${FEATURES} yes`.replace(`${name} yes`, `${name} no`) }),
        context,
      );
      expect(finding).toMatchObject({ where: "kernel", stops: true });
      expect(finding?.message).toContain(`has no ${name}: `);
    },
  );

  test("an address or route in the cluster's pool is named with its link; davit's own are none", () => {
    const addresses =
      "lo 127.0.0.1/8\neth0 192.0.2.11/24\nvpn0 10.210.77.1/24\ndavit0 10.210.1.1/24\ndavit-wg 10.210.0.1/32";
    const [finding] = judgePreflight(
      factsOf({ addresses, routes: "davit-vx 10.210.2.0/24\nvpn0 10.0.0.0/8" }),
      context,
    );
    expect(finding?.message).toBe(
      "the cluster's address pool 10.210.0.0/16 collides with 10.210.77.1/24 on vpn0, 10.0.0.0/8 on vpn0",
    );
  });

  test("something else on the mesh's port is in the way; the mesh itself is not, nor anything without encryption", () => {
    const listening = "udp 00000000:CA6C";
    expect(judgePreflight(factsOf({ listening }), context)[0]?.message).toContain("has UDP port 51820");
    expect(judgePreflight(factsOf({ listening, addresses: "davit-wg 10.210.0.1/32" }), context)).toEqual([]);
    expect(judgePreflight(factsOf({ listening }), { ...context, mesh: { port: 51_820, encryption: "off" } })).toEqual(
      [],
    );
  });

  test("what has a port that services are published on is in the way, each with its service; on a node that is one already it is not", () => {
    const published = new Map([
      ["tcp/8100", "shop_web"],
      ["udp/9000", "log_in"],
    ]);
    const listening = "tcp 00000000:1FA4\nudp 0100007F:2328\nudp 00000000:2328\ntcp 0100007F:1FA5\ntcp 00000000:0016";
    expect(
      judgePreflight(factsOf({ listening }), { ...context, published }).map(({ stops, message }) => [stops, message]),
    ).toEqual([
      [true, "something on the host has port 8100/tcp, on which every node answers for shop_web"],
      [true, "something on the host has port 9000/udp, on which every node answers for log_in"],
    ]);
    const member = factsOf({ listening, node: "n1" });
    expect(judgePreflight(member, { ...context, published }).filter(({ where }) => where === "ports")).toEqual([]);
  });

  test("a host that is joined by an address of IPv6 is told to give another", () => {
    expect(judgePreflight(factsOf(), { ...context, host: "2001:db8::11" })[0]).toMatchObject({
      where: "mesh",
      message: "2001:db8::11 is an address of IPv6, and nodes reach each other by IPv4",
    });
  });

  test("an active firewall of the host's own is told, with what will be opened", () => {
    const [finding] = judgePreflight(factsOf({ firewalls: "ufw" }), context);
    expect(finding).toMatchObject({ where: "firewall", stops: false, message: "ufw is active here" });
    expect(finding?.wayOut).toContain("51820/udp");
  });
});

describe("programs of the network", () => {
  test("those that are missing come by the host's package manager", () => {
    expect(planTools(factsOf())).toEqual({
      kind: "install",
      with: "apt",
      packages: ["nftables", "wireguard-tools", "conntrack", "haproxy"],
    });
    expect(planTools(factsOf({ tools: "ip\nnft\nwg\nconntrack\nhaproxy" }))).toEqual({ kind: "present" });
  });

  test("where the kernel's own encryption was not found, the program for it comes too", () => {
    for (const answer of ["no", "unknown"])
      expect(
        planTools(factsOf({ features: `${FEATURES} ${answer}`, tools: "ip\nnft\nwg\nconntrack\nhaproxy" })),
      ).toMatchObject({
        packages: ["wireguard-go"],
      });
  });

  test("a distribution without that program is told, and a host without a package manager too", () => {
    const dnf = { packager: "/usr/bin/dnf", features: `${FEATURES} no`, candidates: "moby-engine" };
    expect(judgePreflight(factsOf(dnf), context)[0]?.message).toContain("has no WireGuard");
    const none = { packager: "", docker: "/usr/bin/dockerd\nserver 26.1.0 1.45" };
    expect(judgePreflight(factsOf(none), context)[0]?.message).toContain("nft, wg, conntrack, haproxy missing");
  });
});

describe("the host's own firewall", () => {
  test("ufw gets rules that its lists show by name", () => {
    const plan = planFirewall(factsOf({ firewalls: "ufw" }), context.mesh);
    expect(plan?.commands.map((argv) => argv.join(" "))).toEqual([
      "ufw allow 51820/udp comment davit-mesh",
      "ufw allow in on davit-wg comment davit-mesh",
      "ufw allow in on davit-vx comment davit-mesh",
      "ufw allow in on davit0 to any port 53 comment davit-mesh",
    ]);
    expect(CLOSE_FIREWALL).toContain("comment 'davit-mesh'");
  });

  test("firewalld gets them now and for good, without a reload that would take the engine's", () => {
    const lines = planFirewall(factsOf({ firewalls: "firewalld" }), context.mesh)?.commands.map((argv) =>
      argv.join(" "),
    );
    expect(lines).toEqual([
      "firewall-cmd --quiet --add-port=51820/udp",
      "firewall-cmd --quiet --permanent --add-port=51820/udp",
      "firewall-cmd --quiet --zone=trusted --change-interface=davit-wg",
      "firewall-cmd --quiet --permanent --zone=trusted --change-interface=davit-wg",
      "firewall-cmd --quiet --zone=trusted --change-interface=davit-vx",
      "firewall-cmd --quiet --permanent --zone=trusted --change-interface=davit-vx",
    ]);
  });

  test("without encryption it is the tunnel's port, and without a firewall nothing", () => {
    const open = planFirewall(factsOf({ firewalls: "ufw" }), { port: 51_820, encryption: "off" });
    expect(open?.commands[0]?.join(" ")).toBe("ufw allow 7373/udp comment davit-mesh");
    expect(planFirewall(factsOf(), context.mesh)).toBeUndefined();
  });
});
