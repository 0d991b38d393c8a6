// From what is in the kernel to what must be: lines for `ip -batch` and `bridge -batch`, and nothing when nothing must change. From an empty
// state it is everything, which is what the mesh's own unit does when it starts without the agent. Pure.

import { FIRST_RULE, LAST_RULE, MESH_LINK, ROUTE_PROTOCOL, TUNNEL_ID, TUNNEL_LINK, TUNNEL_PORT } from "./names.ts";
import type { MeshPlan } from "./plan-mesh.ts";
import type { LinkState, MeshState, WireguardState } from "./read-state.ts";

export type Changes = { readonly ip: readonly string[]; readonly bridge: readonly string[] };

/** Links first, then what stands on them; what is to go goes before what replaces it comes. */
export function changesTo(plan: MeshPlan, state: MeshState): Changes {
  const ip = [
    ...tunnelChanges(plan, state.tunnel),
    ...meshChanges(plan, state.mesh),
    ...gone(plan.addresses, state.addresses).map((text) => `addr del ${onLink(text)}`),
    ...missing(plan.addresses, state.addresses).map((text) => `addr replace ${onLink(text)}`),
    ...gone(plan.neighbours, state.neighbours).map((text) => `neigh del ${text.split(" ")[0]} dev ${TUNNEL_LINK}`),
    ...missing(plan.neighbours, state.neighbours).map(
      (text) => `neigh replace ${text} dev ${TUNNEL_LINK} nud permanent`,
    ),
    ...missing(plan.routes, state.routes).map((text) => `route replace ${routeArguments(text)}`),
    ...gone(keptPlaces(plan.routes, state.routes), state.routes).map((text) => `route del ${routeArguments(text)}`),
    ...missing(plan.rules, state.rules).map((text) => `rule add ${text}`),
    ...gone(plan.rules, state.rules).map((text) => `rule del ${text}`),
  ];
  const bridge = [
    ...gone(plan.forwarding, state.forwarding).map((text) => `fdb del ${text} dev ${TUNNEL_LINK} self`),
    ...missing(plan.forwarding, state.forwarding).map(
      (text) => `fdb replace ${text} dev ${TUNNEL_LINK} self permanent`,
    ),
  ];
  return { ip, bridge };
}

/** Takes all of it away again, the links too. */
export function changesToNothing(state: MeshState): readonly string[] {
  return [
    ...[...state.rules].filter(isOurs).map((text) => `rule del ${text}`),
    ...[...state.routes].map((text) => `route del ${routeArguments(text)}`),
    ...(state.tunnel === undefined ? [] : [`link del ${TUNNEL_LINK}`]),
    ...(state.mesh === undefined ? [] : [`link del ${MESH_LINK}`]),
  ];
}

function isOurs(rule: string): boolean {
  const preference = Number(rule.split(" ")[1]);
  return preference >= FIRST_RULE && preference <= LAST_RULE;
}

function missing(wanted: readonly string[], there: ReadonlySet<string>): readonly string[] {
  return wanted.filter((text) => !there.has(text));
}

function gone(wanted: readonly string[], there: ReadonlySet<string>): readonly string[] {
  const kept = new Set(wanted);
  return [...there].filter((text) => !kept.has(text));
}

/** `route replace` has put the new one in the place of the old: network and table are what a route is known by. */
function keptPlaces(wanted: readonly string[], there: ReadonlySet<string>): readonly string[] {
  const places = new Set(wanted.map((text) => placeOf(text)));
  return [...wanted, ...[...there].filter((text) => places.has(placeOf(text)))];
}

function placeOf(route: string): string {
  return `${route.split(" ")[0]} ${route.slice(route.lastIndexOf("table"))}`;
}

function onLink(text: string): string {
  const [link, address] = text.split(" ");
  return `${address} dev ${link}`;
}

function routeArguments(text: string): string {
  return `${text}${text.includes(" via ") ? " onlink" : ""} proto ${ROUTE_PROTOCOL}`;
}

function tunnelChanges({ tunnel }: MeshPlan, state: LinkState | undefined): readonly string[] {
  const set = `link set ${TUNNEL_LINK} address ${tunnel.address} mtu ${tunnel.mtu} up`;
  if (state === undefined)
    return [
      // no addresses of IPv6: nobody else is to be met there
      `link add ${TUNNEL_LINK} type vxlan id ${TUNNEL_ID} dstport ${TUNNEL_PORT} nolearning`,
      `link set ${TUNNEL_LINK} addrgenmode none`,
      set,
    ];
  return state.isUp && state.mtu === tunnel.mtu && state.address === tunnel.address ? [] : [set];
}

/** The link itself comes and goes with its unit: made by the kernel where it can, else by a program. */
function meshChanges({ wireguard }: MeshPlan, state: LinkState | undefined): readonly string[] {
  if (wireguard === undefined || (state?.isUp === true && state.mtu === wireguard.mtu)) return [];
  return [`link set ${MESH_LINK} mtu ${wireguard.mtu} up`];
}

/** Whether the link's key, port or peers differ. Endpoints are not compared: a peer behind a router may have told a newer one. */
export function differsFromPlan(
  wireguard: NonNullable<MeshPlan["wireguard"]>,
  publicKey: string,
  state: WireguardState | undefined,
): boolean {
  if (state === undefined || state.publicKey !== publicKey || state.port !== wireguard.port) return true;
  if (state.peers.size !== wireguard.peers.length) return true;
  return wireguard.peers.some(({ publicKey: key, allowed }) => {
    const peer = state.peers.get(key);
    return peer === undefined || peer.allowed.join(",") !== allowed.toSorted().join(",");
  });
}
