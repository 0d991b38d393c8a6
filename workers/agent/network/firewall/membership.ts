// Who may call whom: a set of addresses for each network, a chain for each combination of networks that says where their members may go, and one for each service
// that narrows who may call it. The same sets are on every node, so both ends judge; an address that nobody knows reaches nothing. Pure.

import type { ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { NetworkView } from "../../../../src/ports/node-network.ts";
import { elementsOf, networkSet, objectName } from "./facts.ts";
import type { Chain, NamedSet } from "./ruleset.ts";

export type Membership = {
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly chains: ReadonlyMap<string, Chain>;
};

/** A connection that came by a port that somebody published, davit or the engine, and not by a service's address. */
export const CAME_BY_PORT = "ct status dnat ct original ip daddr != ";

export function planMembership(view: NetworkView, servicePool: string): Membership {
  const internal = new Set(view.networks.filter((network) => network.internal).map((network) => network.name));
  const senders = new Map<string, string>();
  const narrowed = new Map<string, string>();
  const members = new Map<string, Set<string>>();
  const chains = new Map<string, Chain>();
  const callers = new Set<string>();
  for (const service of view.services) {
    const networks = [...new Set(service.networks.map(({ network }) => network))].toSorted();
    const from = objectName("from", ...networks);
    if (!chains.has(from)) chains.set(from, { rules: sendingRules(networks, internal) });
    const to = objectName("to", service.name, service.serviceId);
    if (service.policy !== undefined) {
      chains.set(to, { rules: narrowingRules(service.policy, servicePool) });
      for (const rule of service.policy) callers.add(rule.from);
    }
    for (const network of networks) if (!members.has(network)) members.set(network, new Set());
    for (const { address } of service.endpoints) {
      senders.set(address, `goto ${from}`);
      if (service.policy !== undefined) narrowed.set(address, `jump ${to}`);
      for (const network of networks) members.get(network)?.add(address);
    }
  }
  const sets = new Map<string, NamedSet>([
    ["senders", { type: "ipv4_addr : verdict", elements: senders }],
    ["narrowed", { type: "ipv4_addr : verdict", elements: narrowed }],
  ]);
  for (const [network, addresses] of members) sets.set(networkSet(network), addressSet(addresses));
  for (const caller of callers) {
    const addresses = view.services.find((service) => service.serviceId === caller)?.endpoints ?? [];
    sets.set(callerSet(caller), addressSet(addresses.map(({ address }) => address)));
  }
  return { sets, chains };
}

/** The set of a calling service's addresses, of those that a policy names. */
export function callerSet(serviceId: string): string {
  return objectName("caller", serviceId);
}

function addressSet(addresses: Iterable<string>): NamedSet {
  return { type: "ipv4_addr", elements: elementsOf(addresses) };
}

/** Other members of its networks; the world by any network that is not internal. */
function sendingRules(networks: readonly string[], internal: ReadonlySet<string>): readonly string[] {
  const isClosed = networks.length > 0 && networks.every((network) => internal.has(network));
  return [
    ...networks.map((network) => `ip daddr @${networkSet(network)} goto passed`),
    isClosed ? "goto refused" : "goto outward",
  ];
}

/** Ends in a refusal: the chain returns for callers that it lets through, who then are judged by their networks like all others. */
function narrowingRules(policy: NonNullable<ServiceRoutes["policy"]>, servicePool: string): readonly string[] {
  const allowed = policy.flatMap(({ from, ports }) =>
    (["tcp", "udp"] as const).flatMap((protocol) => {
      const numbers = [...new Set(ports.filter((port) => port.protocol === protocol).map(({ port }) => port))];
      if (numbers.length === 0) return [];
      return [
        `ip saddr @${callerSet(from)} ${protocol} dport { ${numbers.toSorted((a, b) => a - b).join(", ")} } return`,
      ];
    }),
  );
  return [`${CAME_BY_PORT}${servicePool} return`, ...allowed, "goto refused"];
}
