// Chains that change addresses and marks: who enters by a door is led to an endpoint; a client's own address is carried through the tunnel by
// marks, and replies find back the way they came; what would not find back gets an address of the node's. Pure.

import { BRIDGE } from "../../plan/types.ts";
import { MESH_LINK, PEER_MASK, PUBLISHED_MARK, TUNNEL_LINK, tunnelAddress } from "../mesh/names.ts";
import { TO_PUBLISHED, TO_SERVICE } from "./doors.ts";
import { hex, OUR_LINKS, type Places } from "./facts.ts";
import type { Chain } from "./ruleset.ts";

const ENTERED_HERE = `ct mark & ${hex(PUBLISHED_MARK)} != 0`;

/** Hooks in the order in which a packet meets them. */
export function translation(places: Places): readonly (readonly [string, Chain])[] {
  const { pool } = places;
  const atHost = `ip daddr != ${pool} fib daddr type local`;
  const toPublished = TO_PUBLISHED.map((rule) => `${atHost} ${rule}`);
  /** With encryption off the tunnel carries all traffic between nodes: containers' own connections then enter nowhere. */
  const byTunnel = `iifname "${TUNNEL_LINK}"${places.isEncrypted ? "" : ` ip saddr != ${pool}`}`;
  const byMask = `ct mark & ${hex(PEER_MASK)}`;
  const zones = places.peers.map((number) => `${tunnelAddress(number)} : ${number}`);
  return [
    ...(zones.length === 0 ? [] : [["part_entries", partingEntries(byTunnel, zones)] as const]),
    [
      "mark_entries",
      {
        hook: "type filter hook prerouting priority mangle; policy accept;",
        rules: [
          `${byTunnel} ct state new ct mark set ether saddr map @entries`,
          `iifname "${BRIDGE}" ct direction reply ${byMask} != 0 meta mark set ${byMask}`,
        ],
      },
    ],
    [
      "enter",
      {
        hook: "type nat hook prerouting priority dstnat - 5; policy accept;",
        rules: [`iifname "${BRIDGE}" ${TO_SERVICE}`, ...toPublished],
      },
    ],
    [
      "mark_published",
      {
        hook: "type filter hook prerouting priority dstnat + 10; policy accept;",
        rules: [`ct direction original ${ENTERED_HERE} meta mark set ${hex(PUBLISHED_MARK)}`],
      },
    ],
    ["enter_here", { hook: "type nat hook output priority -105; policy accept;", rules: [TO_SERVICE, ...toPublished] }],
    ["leave", { hook: "type nat hook postrouting priority srcnat - 5; policy accept;", rules: leavingRules(places) }],
  ];
}

/**
 * A client may use one port towards two nodes at once: two connections, which are the same one to the container that both lead to. In a zone for
 * each node that was entered they are told apart, and since replies have no zone, the kernel gives the later one another port.
 */
function partingEntries(byTunnel: string, zones: readonly string[]): Chain {
  return {
    hook: "type filter hook prerouting priority raw; policy accept;",
    rules: [`${byTunnel} ct original zone set ether saddr map { ${zones.join(", ")} }`],
  };
}

/**
 * A container that was led to itself answers itself. Loopback addresses mean the node only. A node that calls a published port of another must
 * not come out of the tunnel on itself with its own address; programs of the host have addresses that the mesh does not carry.
 */
function leavingRules({ pool, subnet, self, isEncrypted }: Places): readonly string[] {
  const asNode = `snat to ${self.meshAddress}`;
  return [
    "ip saddr . ip daddr @own masquerade",
    `oifname "${BRIDGE}" ip saddr 127.0.0.0/8 masquerade`,
    ...(isEncrypted ? [] : [`oifname "${TUNNEL_LINK}" ${ENTERED_HERE} ip saddr ${pool} ${asNode}`]),
    `oifname "${TUNNEL_LINK}" ip saddr @underlay ${asNode}`,
    `oifname { "${MESH_LINK}", "${TUNNEL_LINK}" } ip saddr != ${pool} fib saddr type local ${asNode}`,
    `ip saddr ${subnet} ip daddr != ${pool} oifname != ${OUR_LINKS} masquerade`,
  ];
}
