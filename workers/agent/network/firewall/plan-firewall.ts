// The whole table of a node, from what it must know: where connections are led (doors.ts), how addresses are carried (translation.ts),
// who may call whom (membership.ts), and the chains that judge by it (guards.ts). Pure.

import type { NetworkView } from "../../../../src/ports/node-network.ts";
import { PEER_MARK, tunnelAddress } from "../mesh/names.ts";
import { planDoors } from "./doors.ts";
import { elementsOf, hex, type HostFacts, type Places, placesOf } from "./facts.ts";
import { ends, guards } from "./guards.ts";
import { planMembership } from "./membership.ts";
import { TABLE } from "./names.ts";
import type { NamedSet, Ruleset } from "./ruleset.ts";
import { translation } from "./translation.ts";

/** Throws `unavailable` while the mesh does not list the node. */
export function planFirewall(view: NetworkView, facts: HostFacts): Ruleset {
  const places = placesOf(view, facts);
  const doors = planDoors(view);
  const membership = planMembership(view, places.servicePool);
  return {
    table: TABLE,
    sets: new Map([...fixedSets(view, places), ...doors.sets, ...membership.sets]),
    chains: new Map([
      ...ends(places),
      ...doors.chains,
      ...membership.chains,
      ...translation(places),
      ...guards(places, view.activations),
    ]),
  };
}

function fixedSets(view: NetworkView, places: Places): readonly (readonly [string, NamedSet])[] {
  const entries = places.peers.map((number) => [tunnelAddress(number), hex(PEER_MARK + number)] as const);
  const own = view.tasks
    .filter((task) => task.container.networkMode === undefined)
    .map((task) => `${task.address} . ${task.address}`);
  const hostPorts = view.tasks.flatMap((task) => task.hostPorts);
  const everywhere = hostPorts.filter((port) => port.hostIp === undefined || port.hostIp === "0.0.0.0");
  const atOne = hostPorts.filter((port) => !everywhere.includes(port));
  return [
    ["nodes", { type: "ipv4_addr", elements: elementsOf(places.nodes) }],
    ["gateways", { type: "ipv4_addr", elements: elementsOf(places.gateways) }],
    ["underlay", { type: "ipv4_addr", elements: elementsOf(places.underlay) }],
    ["entries", { type: "ether_addr : mark", elements: new Map(entries) }],
    ["own", { type: "ipv4_addr . ipv4_addr", elements: elementsOf(own.toSorted()) }],
    [
      "host_ports",
      {
        type: "inet_proto . inet_service",
        elements: elementsOf(everywhere.map((port) => `${port.protocol} . ${port.published}`).toSorted()),
      },
    ],
    [
      "host_ports_at",
      {
        type: "ipv4_addr . inet_proto . inet_service",
        elements: elementsOf(atOne.map((port) => `${port.hostIp} . ${port.protocol} . ${port.published}`).toSorted()),
      },
    ],
  ];
}
