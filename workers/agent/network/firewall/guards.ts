// Chains that judge: that nobody sends under a false address, who may be forwarded to whom, and what of the host containers may reach. What is
// not known is dropped: a node whose rules are old lets through less, never more. Pure.

import type { NetworkView } from "../../../../src/ports/node-network.ts";
import { BRIDGE } from "../../plan/types.ts";
import { OTHER_PORT } from "../dns/resolver-part.ts";
import { PEER_MARK } from "../mesh/names.ts";
import { hex, OUR_LINKS, type Places } from "./facts.ts";
import { CAME_BY_PORT } from "./membership.ts";
import { PASSED_MARK } from "./names.ts";
import type { Chain } from "./ruleset.ts";

const REPLIES = "ct state established,related";
/** Where the resolver listens: on the second where something of the host has the first. */
const FOR_NAMES = `meta l4proto { tcp, udp } th dport { 53, ${OTHER_PORT} }`;

/**
 * How judgements end. A refusal is told at once, or programs wait for a time-out: by a reset, or, where that would come from the address that
 * the connection was led to, by ICMP, which connects take for a refusal as well.
 */
export function ends(places: Places): readonly (readonly [string, Chain])[] {
  return [
    ["passed", { rules: [`meta mark set meta mark | ${hex(PASSED_MARK)}`, "accept"] }],
    [
      "refused",
      {
        rules: [
          "ct status & dnat == 0 meta l4proto tcp reject with tcp reset",
          "reject with icmp type port-unreachable",
        ],
      },
    ],
    [
      "outward",
      {
        rules: [
          `${CAME_BY_PORT}${places.servicePool} goto passed`,
          `ip daddr ${places.pool} goto refused`,
          "goto passed",
        ],
      },
    ],
  ];
}

/** Sources first, then what is forwarded, then the host itself. */
export function guards(places: Places, activations: NetworkView["activations"]): readonly (readonly [string, Chain])[] {
  const { pool, subnet, gateway, servicePool } = places;
  return [
    [
      "check_source",
      {
        hook: "type filter hook prerouting priority raw; policy accept;",
        rules: [
          'iifname != "lo" ip daddr 127.0.0.0/8 drop',
          `iifname "${BRIDGE}" ip saddr != ${subnet} drop`,
          `iifname "${BRIDGE}" ip saddr ${gateway} drop`,
          `iifname != { "lo", "${BRIDGE}" } ip saddr ${subnet} drop`,
          ...(places.isEncrypted ? [`iifname != ${OUR_LINKS} ip saddr ${pool} drop`] : []),
        ],
      },
    ],
    [
      "guard_forwarded",
      {
        hook: "type filter hook forward priority filter - 10; policy accept;",
        rules: [`ip saddr ${pool} goto judge`, `ip daddr ${pool} goto judge`],
      },
    ],
    [
      "judge",
      {
        rules: [
          `${REPLIES} goto passed`,
          `ct mark & ${hex(PEER_MARK)} != 0 goto passed`,
          "ip saddr @nodes goto passed",
          `ip daddr ${servicePool} goto refused`,
          `ip saddr != ${pool} ct status dnat goto passed`,
          `ip saddr != ${pool} drop`,
          `ip daddr @gateways ${FOR_NAMES} goto passed`,
          "ip daddr vmap @narrowed",
          "ip saddr vmap @senders",
          "drop",
        ],
      },
    ],
    [
      "guard_host",
      {
        hook: "type filter hook input priority filter - 10; policy accept;",
        rules: [`ip saddr ${pool} ip saddr != @nodes goto host_door`],
      },
    ],
    ["host_door", { rules: hostRules(places, activations) }],
    [
      "guard_own",
      {
        hook: "type filter hook output priority filter + 5; policy accept;",
        rules: [`ip daddr ${servicePool} goto refused`],
      },
    ],
  ];
}

/** What of the host containers may reach: names, what is held for services that are asleep, what the node publishes by the engine, and where its ingress answers. */
function hostRules({ gateway, pool }: Places, activations: NetworkView["activations"]): readonly string[] {
  const held = [...(activations?.values() ?? [])].flatMap(({ ports }) => [...ports.values()]).toSorted((a, b) => a - b);
  return [
    `${REPLIES} accept`,
    ...(held.length === 0 ? [] : [`ct status dnat ip daddr ${gateway} tcp dport { ${held.join(", ")} } accept`]),
    `ip daddr ${gateway} ${FOR_NAMES} accept`,
    `ip daddr ${gateway} icmp type echo-request accept`,
    `ip daddr ${pool} goto refused`,
    "tcp dport { 80, 443 } accept",
    "meta l4proto . th dport @host_ports accept",
    "ip daddr . meta l4proto . th dport @host_ports_at accept",
    "goto refused",
  ];
}
