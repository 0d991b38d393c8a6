// The mesh's own packet rules, a small table beside the firewall's: the tunnel's port takes packets from peers only, and TCP connections
// through the mesh agree on segments that fit. Text for `nft -f`. Pure.

import type { MeshRoutes } from "../../../../src/core/model/routes.ts";
import { MESH_LINK, MESH_TABLE, TUNNEL_LINK, TUNNEL_PORT } from "./names.ts";
import type { Underlay } from "./plan-mesh.ts";

/** The table whole: it takes the place of what was there in one step. */
export function renderPacketRules(mesh: MeshRoutes, nodeId: string, underlay: Underlay): string {
  const peers = mesh.nodes.flatMap((node) =>
    node.nodeId === nodeId ? [] : [underlay.endpoints.get(node.nodeId) ?? []].flat(),
  );
  const strangers =
    mesh.encryption === "wireguard"
      ? `iifname != "${MESH_LINK}"`
      : peers.length === 0
        ? ""
        : `ip saddr != { ${[...new Set(peers)].toSorted().join(", ")} }`;
  return `table ip ${MESH_TABLE}
delete table ip ${MESH_TABLE}
table ip ${MESH_TABLE} {
  chain tunnel_guard {
    type filter hook prerouting priority -310; policy accept;
    udp dport ${TUNNEL_PORT} fib daddr type local ${strangers}${strangers === "" ? "" : " "}drop
  }
  chain segment_size {
    type filter hook forward priority mangle; policy accept;
    oifname { "${MESH_LINK}", "${TUNNEL_LINK}" } tcp flags syn / syn,rst tcp option maxseg size set rt mtu
    iifname { "${MESH_LINK}", "${TUNNEL_LINK}" } tcp flags syn / syn,rst tcp option maxseg size set rt mtu
  }
}
`;
}
