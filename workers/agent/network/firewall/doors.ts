// Where connections are led to an endpoint: a service's own address, from containers and from the host, and published ports on every address
// of the host. Each door is a chain that chooses; maps lead to it. Without an endpoint there is no door, and who knocks is refused. Pure.

import type { PublishedPort } from "../../../../src/core/model/published-port.ts";
import type { Endpoint, ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { Activation, NetworkView } from "../../../../src/ports/node-network.ts";
import { BRIDGE } from "../../plan/types.ts";
import { PUBLISHED_MARK } from "../mesh/names.ts";
import { type Choice, choices, chosenFrom } from "./balance.ts";
import { hex, networkSet, objectName } from "./facts.ts";
import { callerSet } from "./membership.ts";
import { CALLED_MARK } from "./names.ts";
import type { Chain, NamedSet } from "./ruleset.ts";

export type Doors = {
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly chains: ReadonlyMap<string, Chain>;
};

/** Both hooks that see a connection before it is routed: what comes in, and what begins on the host itself. */
export const TO_SERVICE = "ip daddr vmap @service_addresses";
export const TO_PUBLISHED = [
  "ip daddr . meta l4proto . th dport vmap @published_at",
  "meta l4proto . th dport vmap @published",
] as const;

export function planDoors(view: NetworkView): Doors {
  const addresses = new Map<string, string>();
  const published = new Map<string, string>();
  const publishedAt = new Map<string, string>();
  const chains = new Map<string, Chain>();
  for (const service of view.services) {
    const endpoints = chosenFrom(service.endpoints);
    const activation = endpoints.length === 0 ? view.activations?.get(service.serviceId) : undefined;
    if (endpoints.length === 0 && activation === undefined) continue;
    if (service.address !== undefined) {
      const name = objectName("service", service.name, service.serviceId);
      const rules =
        activation === undefined
          ? [...noted(service), ...choices(endpoints, service.balance).map((choice) => led(choice, "dnat to"))]
          : wakingRules(service, activation);
      chains.set(name, { rules: [...membersOnly(service), ...rules] });
      addresses.set(service.address, `goto ${name}`);
    }
    for (const port of service.ports) {
      const name = portName(port);
      const at = activation?.ports.get(port.target);
      if (activation === undefined) chains.set(name, { rules: publishedRules(service, port, endpoints) });
      else if (port.protocol === "tcp" && at !== undefined)
        chains.set(name, { rules: [`meta l4proto tcp dnat ip to ${activation.address}:${at}`] });
      else continue;
      const key = `${port.protocol} . ${port.published}`;
      if (isEveryAddress(port.hostIp)) published.set(key, `goto ${name}`);
      else publishedAt.set(`${port.hostIp} . ${key}`, `goto ${name}`);
    }
  }
  const sets = new Map<string, NamedSet>([
    ["service_addresses", { type: "ipv4_addr : verdict", elements: addresses }],
    ["published", { type: "inet_proto . inet_service : verdict", elements: published }],
    ["published_at", { type: "ipv4_addr . inet_proto . inet_service : verdict", elements: publishedAt }],
  ]);
  return { sets, chains };
}

/** A container that shares no network with the service is left at the address, where it is refused: what was led on can be refused less well. */
function membersOnly(service: ServiceRoutes): readonly string[] {
  const isNone = service.networks.map(({ network }) => `ip saddr != @${networkSet(network)}`);
  return [[`iifname "${BRIDGE}"`, ...isNone, "return"].join(" ")];
}

/** Its connections are told from others, where it matters whether there are any. */
function noted(service: ServiceRoutes): readonly string[] {
  return service.waking === undefined ? [] : [`ct mark set ct mark | ${hex(CALLED_MARK)}`];
}

/**
 * To where calls are held. A policy is kept here, because what is held comes to the service from the node, which everybody lets in. Another
 * port, and a caller that may not, is left at the address.
 */
function wakingRules({ policy }: ServiceRoutes, activation: Activation): readonly string[] {
  const to = (ports: readonly number[] | undefined): readonly string[] =>
    [...activation.ports]
      .filter(([port]) => ports === undefined || ports.includes(port))
      .map(([port, at]) => `tcp dport ${port} dnat ip to ${activation.address}:${at}`);
  if (policy === undefined) return to(undefined);
  const allowed = policy.flatMap(({ from, ports }) =>
    to(ports.filter(({ protocol }) => protocol === "tcp").map(({ port }) => port)).map(
      (rule) => `ip saddr @${callerSet(from)} ${rule}`,
    ),
  );
  return [...allowed, ...to(undefined).map((rule) => `iifname != "${BRIDGE}" ${rule}`)];
}

/** The connection's mark says that it entered here. */
function publishedRules(
  service: ServiceRoutes,
  port: PublishedPort,
  endpoints: readonly Endpoint[],
): readonly string[] {
  return [
    `ct mark set ct mark | ${hex(service.waking === undefined ? PUBLISHED_MARK : PUBLISHED_MARK | CALLED_MARK)}`,
    ...choices(endpoints, service.balance, port.target).map((choice) =>
      led(choice, `meta l4proto ${port.protocol} dnat ip to`),
    ),
  ];
}

function led({ when, target }: Choice, verdict: string): string {
  return `${when === "" ? "" : `${when} `}${verdict} ${target}`;
}

function isEveryAddress(hostIp: string | undefined): boolean {
  return hostIp === undefined || hostIp === "" || hostIp === "0.0.0.0";
}

function portName(port: PublishedPort): string {
  const at = isEveryAddress(port.hostIp) ? [] : [port.hostIp ?? ""];
  return objectName(port.protocol, String(port.published), ...at);
}
