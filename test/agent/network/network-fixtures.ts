// A cluster as its routes describe it, for tests of what nodes make of routes: two stacks that share one network, on three nodes.

import { asId } from "../../../src/core/model/ids.ts";
import type { Endpoint, MeshNode, MeshRoutes, ServiceRoutes } from "../../../src/core/model/routes.ts";

export function meshNode(number: number, changes: Partial<MeshNode> = {}): MeshNode {
  return {
    nodeId: asId<"node">(`n${number}`),
    name: `n${number}`,
    number,
    subnet: `10.210.${number}.0/24`,
    meshAddress: `10.210.0.${number}`,
    endpoint: { host: `192.0.2.${number}`, port: 51_820 },
    meshKey: `key${number}=`,
    ...changes,
  };
}

export function meshOf(count: number, changes: Partial<MeshRoutes> = {}): MeshRoutes {
  return {
    kind: "mesh",
    addressPool: "10.210.0.0/16",
    servicePool: "10.210.224.0/19",
    encryption: "wireguard",
    port: 51_820,
    nodes: Array.from({ length: count }, (_, at) => meshNode(at + 1)),
    ...changes,
  };
}

export function endpoint(node: number, last: number, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    taskId: asId<"task">(`t${node}-${last}`),
    nodeId: asId<"node">(`n${node}`),
    address: `10.210.${node}.${last}`,
    slot: 1,
    weight: 100,
    standing: "in",
    ...changes,
  };
}

/** A service of a stack, on the stack's default network unless told. */
export function serviceRoutes(stack: string, shortName: string, changes: Partial<ServiceRoutes> = {}): ServiceRoutes {
  return {
    kind: "service",
    serviceId: asId<"service">(`${stack}-${shortName}`),
    name: `${stack}_${shortName}`,
    stack,
    shortName,
    balance: "random",
    networks: [{ network: `${stack}_default`, aliases: [] }],
    ports: [],
    namedPorts: [],
    endpoints: [],
    ...changes,
  };
}
