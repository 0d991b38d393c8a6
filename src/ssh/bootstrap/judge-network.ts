// Judges what the network between nodes needs of a host: its ports, its addresses, its programs, its firewall. Pure.

import { isIPv6 } from "node:net";
import type { HostFacts } from "./facts.ts";
import type { Finding, PreflightContext } from "./judge-preflight.ts";
import { planFirewall, planTools } from "./network-plan.ts";
import { overlaps } from "./subnets.ts";

const OWN_LINKS = new Set(["davit0", "davit-wg", "davit-vx"]);

/** Findings on the network, in no order. */
export function judgeNetwork(facts: HostFacts, context: PreflightContext): readonly Finding[] {
  return [
    ...checkPool(facts, context),
    ...checkPort(facts, context),
    ...checkPublished(facts, context),
    ...checkEndpoint(context),
    ...checkTools(facts),
    ...checkFirewall(facts, context),
  ];
}

function checkPool(facts: HostFacts, context: PreflightContext): readonly Finding[] {
  const colliding = facts.networks.filter(
    ({ link, cidr }) => !OWN_LINKS.has(link) && overlaps(cidr, context.addressPool),
  );
  const seen = new Set(colliding.map(({ link, cidr }) => `${cidr} on ${link}`));
  if (seen.size === 0) return [];
  return [
    {
      where: "addresses",
      stops: true,
      message: `the cluster's address pool ${context.addressPool} collides with ${[...seen].join(", ")}`,
      wayOut:
        "free these addresses on the host, or make a cluster with another pool (davit up --address-pool): it cannot change later",
    },
  ];
}

/** A host that has the mesh already holds the port itself. */
function checkPort(facts: HostFacts, { mesh }: PreflightContext): readonly Finding[] {
  const isOurs = facts.networks.some(({ link }) => link === "davit-wg") || facts.installed.node !== "";
  if (mesh.encryption === "off" || isOurs || !facts.listening.includes(`udp/${mesh.port}`)) return [];
  return [
    {
      where: "mesh",
      stops: true,
      message: `something on the host has UDP port ${mesh.port}, by which nodes talk to each other`,
      wayOut: `see what it is (ss -lnup 'sport = :${mesh.port}') and move it: the port is the same on all nodes`,
    },
  ];
}

/** As a deploy refuses a port that something on a node has. A host that is a node already keeps what its services have. */
function checkPublished(facts: HostFacts, { published }: PreflightContext): readonly Finding[] {
  if (facts.installed.node !== "") return [];
  return facts.listening.flatMap((listening) => {
    const service = published.get(listening);
    if (service === undefined) return [];
    const [protocol = "", port = ""] = listening.split("/");
    return [
      {
        where: "ports",
        stops: true,
        message: `something on the host has port ${port}/${protocol}, on which every node answers for ${service}`,
        wayOut: `see what it is (ss -${protocol === "tcp" ? "lntp" : "lnup"} 'sport = :${port}') and stop or move it, or publish another port of ${service}: once the host has joined, who calls the port reaches ${service}`,
      },
    ];
  });
}

function checkEndpoint({ host }: PreflightContext): readonly Finding[] {
  if (!isIPv6(host)) return [];
  return [
    {
      where: "mesh",
      stops: true,
      message: `${host} is an address of IPv6, and nodes reach each other by IPv4`,
      wayOut: "join it by its IPv4 address or by a name that has one, or give one with --endpoint",
    },
  ];
}

function checkTools(facts: HostFacts): readonly Finding[] {
  const plan = planTools(facts);
  if (plan.kind !== "impossible") return [];
  return [{ where: "packages", stops: true, message: plan.message, wayOut: plan.wayOut }];
}

function checkFirewall(facts: HostFacts, { mesh }: PreflightContext): readonly Finding[] {
  const plan = planFirewall(facts, mesh);
  if (plan === undefined) return [];
  return [
    {
      where: "firewall",
      stops: false,
      message: `${plan.firewall} is active here`,
      wayOut: `nothing to do: the join opens ${plan.opened}, as ${plan.firewall}'s own rules (${plan.firewall === "ufw" ? "ufw status" : "firewall-cmd --list-all"})`,
    },
  ];
}
