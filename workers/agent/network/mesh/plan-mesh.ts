// What a node's kernel must hold so that its containers reach those of all other nodes: one WireGuard link with a peer for each node, a
// VXLAN tunnel inside of it for connections that must keep their client's address, and the routes and rules to choose between them. With
// encryption off there is only the tunnel, straight on the hosts' own network, and all goes through it. Pure.

import type { MeshNode, MeshRoutes } from "../../../../src/core/model/routes.ts";
import { parseCidr, renderAddress } from "../../../../src/core/model/subnets.ts";
import {
  FIRST_RULE,
  FIRST_TABLE,
  MESH_LINK,
  PEER_MARK,
  PEER_MASK,
  PUBLISHED_MARK,
  TUNNEL_LINK,
  TUNNEL_PORT,
  tunnelAddress,
} from "./names.ts";

/** What the host itself knows. */
export type Underlay = {
  /** The smallest MTU of the links that lead to the peers. */
  readonly linkMtu: number;
  /** IPv4 address of each peer's endpoint by node id; a peer whose name did not resolve has none. */
  readonly endpoints: ReadonlyMap<string, string>;
  /** net.ipv4.conf.all.rp_filter: the kernel takes the larger of it and a link's own. */
  readonly reversePathFilter: number;
};

export type WireguardPeer = {
  readonly publicKey: string;
  readonly allowed: readonly string[];
  /** "192.0.2.7:51820"; absent while it is not known: the peer then must begin. */
  readonly endpoint?: string;
};

/** Texts are in the form in which read-state.ts gives back what is there, so that the two can be compared as sets. */
export type MeshPlan = {
  readonly wireguard?: {
    readonly port: number;
    readonly mtu: number;
    readonly peers: readonly WireguardPeer[];
  };
  readonly tunnel: { readonly address: string; readonly mtu: number };
  /** "davit-wg 10.210.0.1/32" */
  readonly addresses: readonly string[];
  /** As `ip route` takes them, the table last: "10.210.2.0/24 dev davit-wg src 10.210.0.1 table 254" */
  readonly routes: readonly string[];
  /** As `ip rule` takes them: "pref 7302 fwmark 0x101/0x1ff lookup 7301" */
  readonly rules: readonly string[];
  /** "10.210.0.2 lladdr 02:64:76:00:00:02" */
  readonly neighbours: readonly string[];
  /** "02:64:76:00:00:02 dst 10.210.0.2" */
  readonly forwarding: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
};

/** WireGuard over IPv4 takes 60 bytes; 80 leave room for what carriers put around packets, as everybody's 1420 does. */
const WIREGUARD_BYTES = 80;
const VXLAN_BYTES = 50;
/** The least that IPv6-capable software expects; below it nothing would work, so nothing is gained. */
const LEAST_MTU = 1_280;
/** Main routing table. */
const MAIN = 254;
/**
 * Half of the shortest time for which routers commonly remember a UDP flow. For all peers: a link that has just come shakes hands at once, and
 * peers do not go on for a quarter of a minute with what they had agreed on with the one before.
 */
const KEEP_ALIVE_SECONDS = 25;

/** MTU of the bridge and its containers on a link: what the encrypted link carries, so that switching encryption needs no new bridge. */
export function bridgeMtu(linkMtu: number): number {
  return Math.max(LEAST_MTU, linkMtu - WIREGUARD_BYTES);
}

/** `self` absent from the mesh: the node waits for its place in it, and nothing is planned. */
export function planMesh(mesh: MeshRoutes, nodeId: string, underlay: Underlay): MeshPlan | undefined {
  const self = mesh.nodes.find((node) => node.nodeId === nodeId);
  if (self === undefined) return undefined;
  const peers = mesh.nodes.filter((node) => node.nodeId !== nodeId).toSorted((a, b) => a.number - b.number);
  const isEncrypted = mesh.encryption === "wireguard";
  const mtu = bridgeMtu(underlay.linkMtu);
  const reachable = isEncrypted ? peers : peers.filter((peer) => underlay.endpoints.has(peer.nodeId));
  const tunnelTo = (peer: MeshNode): string =>
    isEncrypted ? peer.meshAddress : (underlay.endpoints.get(peer.nodeId) ?? "");
  return {
    ...(isEncrypted ? { wireguard: planWireguard(mesh, peers, underlay) } : {}),
    tunnel: {
      address: tunnelAddress(self.number),
      mtu: isEncrypted ? mtu - VXLAN_BYTES : underlay.linkMtu - VXLAN_BYTES,
    },
    // on both: the kernel forgets all routes of a link that loses its last address
    addresses: [...(isEncrypted ? [MESH_LINK] : []), TUNNEL_LINK].map((link) => `${link} ${self.meshAddress}/32`),
    routes: reachable.flatMap((peer) => routesTo(peer, self, isEncrypted)),
    rules: planRules(mesh, reachable, tunnelTo),
    neighbours: reachable.map((peer) => `${peer.meshAddress} lladdr ${tunnelAddress(peer.number)}`),
    forwarding: reachable.map((peer) => `${tunnelAddress(peer.number)} dst ${tunnelTo(peer)}`),
    sysctls: planSysctls(underlay, isEncrypted),
  };
}

function planWireguard(
  mesh: MeshRoutes,
  peers: readonly MeshNode[],
  underlay: Underlay,
): NonNullable<MeshPlan["wireguard"]> {
  return {
    port: mesh.port,
    mtu: bridgeMtu(underlay.linkMtu),
    peers: peers.flatMap((peer) => {
      if (peer.meshKey === undefined) return [];
      const address = underlay.endpoints.get(peer.nodeId);
      const allowed = [`${peer.meshAddress}/32`, peer.subnet];
      const endpoint = address === undefined ? {} : { endpoint: `${address}:${peer.endpoint.port}` };
      return [{ publicKey: peer.meshKey, allowed, ...endpoint }];
    }),
  };
}

function routesTo(peer: MeshNode, self: MeshNode, isEncrypted: boolean): readonly string[] {
  const tunnelled = `via ${peer.meshAddress} dev ${TUNNEL_LINK}`;
  const source = `src ${self.meshAddress}`;
  return [
    `${peer.meshAddress} dev ${isEncrypted ? MESH_LINK : TUNNEL_LINK} ${source} table ${MAIN}`,
    `${peer.subnet} ${isEncrypted ? `dev ${MESH_LINK}` : tunnelled} ${source} table ${MAIN}`,
    `${peer.subnet} ${tunnelled} table ${FIRST_TABLE}`,
    `default ${tunnelled} table ${FIRST_TABLE + peer.number}`,
  ];
}

/** The tunnel's own packets carry the mark of what is in them: they go first, or they would be led into the tunnel again. */
function planRules(
  mesh: MeshRoutes,
  peers: readonly MeshNode[],
  tunnelTo: (peer: MeshNode) => string,
): readonly string[] {
  const outer =
    mesh.encryption === "wireguard"
      ? [`${renderAddress(parseCidr(mesh.addressPool).base)}/24`]
      : peers.map((peer) => tunnelTo(peer));
  return [
    ...outer.map((to) => `pref ${FIRST_RULE} to ${to} ipproto udp dport ${TUNNEL_PORT} lookup main`),
    `pref ${FIRST_RULE + 1} fwmark ${hex(PUBLISHED_MARK)}/${hex(PUBLISHED_MARK)} lookup ${FIRST_TABLE}`,
    ...peers.map(
      ({ number }) =>
        `pref ${FIRST_RULE + 1 + number} fwmark ${hex(PEER_MARK + number)}/${hex(PEER_MASK)} lookup ${FIRST_TABLE + number}`,
    ),
  ];
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

/**
 * Clients of published ports come out of the tunnel with addresses that belong elsewhere: a strict filter would drop them. Without
 * bridge-nf-call-iptables containers of one host would get around all rules between them.
 */
function planSysctls(underlay: Underlay, isEncrypted: boolean): Readonly<Record<string, string>> {
  const filter = underlay.reversePathFilter === 1 ? "2" : "0";
  return {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
    [`net/ipv4/conf/${TUNNEL_LINK}/rp_filter`]: filter,
    ...(isEncrypted ? { [`net/ipv4/conf/${MESH_LINK}/rp_filter`]: filter } : {}),
  };
}

/** For `wg syncconf`. */
export function renderWireguard(wireguard: NonNullable<MeshPlan["wireguard"]>, privateKey: string): string {
  const head = `[Interface]\nPrivateKey = ${privateKey}\nListenPort = ${wireguard.port}\n`;
  const peers = wireguard.peers.map(({ publicKey, allowed, endpoint }) => {
    const lines = [
      "[Peer]",
      `PublicKey = ${publicKey}`,
      `AllowedIPs = ${allowed.join(", ")}`,
      ...(endpoint === undefined ? [] : [`Endpoint = ${endpoint}`]),
      `PersistentKeepalive = ${KEEP_ALIVE_SECONDS}`,
    ];
    return `\n${lines.join("\n")}\n`;
  });
  return head + peers.join("");
}
