// The sections of the routes that are about nodes and networks. Pure.

import { DEFAULT_MESH_PORT, type Cluster, type Network, type Node } from "../model/records.ts";
import type { MeshNode, MeshRoutes, NetworkRoutes } from "../model/routes.ts";
import { type Cidr, meshAddress, nodeNumber, parseCidr, renderCidr, servicePool } from "../model/subnets.ts";
import type { State } from "../model/world.ts";

export const MESH_SECTION = "mesh";

/** The key of a network's section. */
export function networkSection(name: string): string {
  return `network/${name}`;
}

/** How nodes reach each other; undefined before there is a cluster. */
export function meshRoutes(state: State): MeshRoutes | undefined {
  const [cluster] = state.cluster.values();
  if (cluster === undefined) return undefined;
  const pool = parseCidr(cluster.addressPool);
  const nodes = [...state.node.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    kind: "mesh",
    addressPool: cluster.addressPool,
    servicePool: renderCidr(servicePool(pool)),
    encryption: cluster.encryption ?? "wireguard",
    port: cluster.meshPort ?? DEFAULT_MESH_PORT,
    nodes: nodes.map((node) => meshNode(state, cluster, pool, node)),
  };
}

/** What others are told of one node; undefined before there is a cluster. */
export function meshRoutesOf(state: State, node: Node): MeshNode | undefined {
  const [cluster] = state.cluster.values();
  return cluster === undefined ? undefined : meshNode(state, cluster, parseCidr(cluster.addressPool), node);
}

function meshNode(state: State, cluster: Cluster, pool: Cidr, node: Node): MeshNode {
  const meshKey = state.nodeStatus.get(node.id)?.meshKey;
  const { meshEndpoint } = node;
  return {
    nodeId: node.id,
    name: node.name,
    number: nodeNumber(pool, node.subnet),
    subnet: node.subnet,
    meshAddress: meshAddress(pool, node.subnet),
    endpoint: {
      host: meshEndpoint?.host ?? node.address.host,
      port: meshEndpoint?.port ?? cluster.meshPort ?? DEFAULT_MESH_PORT,
    },
    ...(meshKey === undefined ? {} : { meshKey }),
    agentKey: node.agentKey,
  };
}

export function networkRoutes({ name, internal }: Network): NetworkRoutes {
  return { kind: "network", name, internal };
}
