// What of the mesh is in the kernel, in the texts that plan-mesh.ts uses: answers of `ip -j`, `bridge -j` and `wg show … dump`. Parsing is
// pure; asking is one round of programs side by side.

import { type HostCommand, mustRun } from "../run-command.ts";
import { FIRST_RULE, LAST_RULE, MESH_LINK, ROUTE_PROTOCOL, TUNNEL_LINK } from "./names.ts";

export type LinkState = { readonly mtu: number; readonly address: string; readonly isUp: boolean };

export type WireguardState = {
  readonly publicKey: string;
  readonly port: number;
  readonly peers: ReadonlyMap<string, WireguardPeerState>;
};

export type WireguardPeerState = {
  readonly allowed: readonly string[];
  readonly endpoint?: string;
  /** Seconds since 1970; 0 means never. */
  readonly handshakeAt: number;
};

export type MeshState = {
  readonly mesh: LinkState | undefined;
  readonly tunnel: LinkState | undefined;
  readonly wireguard: WireguardState | undefined;
  readonly addresses: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly rules: ReadonlySet<string>;
  readonly neighbours: ReadonlySet<string>;
  readonly forwarding: ReadonlySet<string>;
};

/** With what else of the host matters to it. */
export type HostState = MeshState & {
  /** IPv4 addresses on links that are not the mesh's. */
  readonly hostAddresses: ReadonlySet<string>;
  readonly mtuOf: (link: string) => number | undefined;
};

/** A host that has nothing of the mesh. */
export const EMPTY_STATE: MeshState = {
  mesh: undefined,
  tunnel: undefined,
  wireguard: undefined,
  addresses: new Set(),
  routes: new Set(),
  rules: new Set(),
  neighbours: new Set(),
  forwarding: new Set(),
};

type Scalar = string | number | undefined;
type Json = Readonly<Record<string, Scalar>>;

type LinkJson = {
  readonly ifname: string;
  readonly mtu: number;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
};

function listOf(output: string): readonly Json[] {
  if (output.trim() === "") return [];
  return (JSON.parse(output) as readonly Json[]).filter((entry) => Object.keys(entry).length > 0);
}

/** `ip -j addr show`: every link with its addresses. */
export function parseLinks(output: string): ReadonlyMap<string, LinkState & { readonly addresses: readonly string[] }> {
  const links = (JSON.parse(output) as readonly LinkJson[]).map(({ ifname, mtu, address = "", flags, addr_info }) => {
    const addresses = addr_info
      .filter(({ family }) => family === "inet")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    return [ifname, { mtu, address, isUp: flags.includes("UP"), addresses }] as const;
  });
  return new Map(links);
}

/** `ip -j route show table all proto 73` */
export function parseRoutes(output: string): ReadonlySet<string> {
  const texts = listOf(output).map((route) => {
    const via = route["gateway"] === undefined ? "" : ` via ${String(route["gateway"])}`;
    const source = route["prefsrc"] === undefined ? "" : ` src ${String(route["prefsrc"])}`;
    return `${String(route["dst"])}${via} dev ${String(route["dev"])}${source} table ${String(route["table"] ?? 254)}`;
  });
  return new Set(texts);
}

/** `ip -j rule show`: those whose preference is ours. */
export function parseRules(output: string): ReadonlySet<string> {
  const ours = listOf(output).filter(({ priority }) => Number(priority) >= FIRST_RULE && Number(priority) <= LAST_RULE);
  const texts = ours.map((rule) => {
    const to =
      rule["dst"] === undefined || rule["dst"] === "all" ? "" : ` to ${String(rule["dst"])}${lengthOf(rule["dstlen"])}`;
    const mark = rule["fwmark"] === undefined ? "" : ` fwmark ${String(rule["fwmark"])}/${String(rule["fwmask"])}`;
    const protocol = rule["ipproto"] === undefined ? "" : ` ipproto ${String(rule["ipproto"])}`;
    const port = rule["dport"] === undefined ? "" : ` dport ${String(rule["dport"])}`;
    return `pref ${String(rule["priority"])}${to}${mark}${protocol}${port} lookup ${String(rule["table"])}`;
  });
  return new Set(texts);
}

function lengthOf(length: Scalar): string {
  return length === undefined ? "" : `/${length}`;
}

/** `ip -j neigh show dev davit-vx nud permanent` */
export function parseNeighbours(output: string): ReadonlySet<string> {
  return new Set(listOf(output).map(({ dst, lladdr }) => `${String(dst)} lladdr ${String(lladdr)}`));
}

/** `bridge -j fdb show dev davit-vx` */
export function parseForwarding(output: string): ReadonlySet<string> {
  const entries = listOf(output).filter(({ dst }) => dst !== undefined);
  return new Set(entries.map(({ mac, dst }) => `${String(mac)} dst ${String(dst)}`));
}

/** `wg show davit-wg dump`: the link's line, then one for each peer; columns are separated by tabs. */
export function parseWireguard(output: string): WireguardState | undefined {
  const [head, ...lines] = output.split("\n").filter((line) => line !== "");
  if (head === undefined) return undefined;
  const [, publicKey = "", port = "0"] = head.split("\t");
  const peers = lines.map((line) => {
    const [key = "", , endpoint = "(none)", allowed = "", handshakeAt = "0"] = line.split("\t");
    const networks = allowed === "(none)" ? [] : allowed.split(",").toSorted();
    const known = endpoint === "(none)" ? {} : { endpoint };
    return [key, { allowed: networks, handshakeAt: Number(handshakeAt), ...known }] as const;
  });
  return { publicKey, port: Number(port), peers: new Map(peers) };
}

/** Asks the kernel. Links that are not there are `undefined`. */
export async function readMeshState(run: HostCommand): Promise<HostState> {
  const what = "look at the mesh";
  const [links, routes, rules, neighbours, forwarding, wireguard] = await Promise.all([
    mustRun(run, what, ["ip", "-j", "addr", "show"]).then(parseLinks),
    mustRun(run, what, ["ip", "-j", "-4", "route", "show", "table", "all", "proto", String(ROUTE_PROTOCOL)]),
    mustRun(run, what, ["ip", "-j", "-4", "rule", "show"]),
    run(["ip", "-j", "-4", "neigh", "show", "dev", TUNNEL_LINK, "nud", "permanent"]),
    run(["bridge", "-j", "fdb", "show", "dev", TUNNEL_LINK]),
    run(["wg", "show", MESH_LINK, "dump"]),
  ]);
  const own = [MESH_LINK, TUNNEL_LINK];
  return {
    mesh: links.get(MESH_LINK),
    tunnel: links.get(TUNNEL_LINK),
    wireguard: parseWireguard(wireguard.stdout),
    addresses: new Set(
      own.flatMap((link) => (links.get(link)?.addresses ?? []).map((address) => `${link} ${address}`)),
    ),
    routes: parseRoutes(routes),
    rules: parseRules(rules),
    neighbours: parseNeighbours(neighbours.exitCode === 0 ? neighbours.stdout : ""),
    forwarding: parseForwarding(forwarding.exitCode === 0 ? forwarding.stdout : ""),
    mtuOf: (link) => links.get(link)?.mtu,
    hostAddresses: new Set(
      [...links.entries()].flatMap(([link, { addresses }]) =>
        own.includes(link) ? [] : addresses.map((address) => address.split("/")[0] ?? ""),
      ),
    ),
  };
}
