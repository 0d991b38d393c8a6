// Views of a small cluster for tests of packet rules: three nodes, and services by a line each.

import { asId } from "../../../src/core/model/ids.ts";
import type { Endpoint, MeshNode, NetworkRoutes, ServiceRoutes } from "../../../src/core/model/routes.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import type { HostFacts } from "../../../workers/agent/network/firewall/facts.ts";
import { workOf } from "../agent-world.ts";

export const FACTS: HostFacts = {
  endpoints: new Map([
    ["n1", "192.0.2.1"],
    ["n2", "192.0.2.2"],
    ["n3", "192.0.2.3"],
  ]),
};

export function meshNode(number: number): MeshNode {
  return {
    nodeId: asId(`n${number}`),
    name: `n${number}`,
    number,
    subnet: `10.210.${number}.0/24`,
    meshAddress: `10.210.0.${number}`,
    endpoint: { host: `192.0.2.${number}`, port: 51_820 },
  };
}

export function endpoint(address: string, changes: Partial<Endpoint> = {}): Endpoint {
  const node = address.split(".")[2] ?? "1";
  return {
    taskId: asId(`task-${address}`),
    nodeId: asId(`n${node}`),
    address,
    slot: 1,
    weight: 100,
    standing: "in",
    ...changes,
  };
}

/** A service in the network "front" unless told otherwise; its address is 10.210.224.<number>. */
export function service(
  number: number,
  name: string,
  endpoints: readonly Endpoint[],
  changes: Partial<ServiceRoutes> = {},
): ServiceRoutes {
  return {
    kind: "service",
    serviceId: asId(`s${number}`),
    name: `shop_${name}`,
    stack: "shop",
    shortName: name,
    address: `10.210.224.${number}`,
    balance: "random",
    networks: inNetworks("front"),
    ports: [],
    namedPorts: [],
    endpoints,
    ...changes,
  };
}

export function inNetworks(...names: readonly string[]): ServiceRoutes["networks"] {
  return names.map((network) => ({ network, aliases: [] }));
}

export function taskAt(address: string, changes: Partial<TaskWork> = {}): TaskWork {
  return { ...workOf(1), address, ...changes };
}

/** Where node n1 holds calls: of the first service that may fall asleep from port 41000 on, of the next from 41100. */
export function activationsOf(services: readonly ServiceRoutes[]): NonNullable<NetworkView["activations"]> {
  const sleepers = services.filter(({ waking }) => waking !== undefined);
  return new Map(
    sleepers.map(({ serviceId, waking = [] }, at) => [
      serviceId,
      { address: "10.210.1.1", ports: new Map(waking.map((port, nth) => [port, 41_000 + at * 100 + nth])) },
    ]),
  );
}

/** What node n1 knows. */
export function viewOf(services: readonly ServiceRoutes[], changes: Partial<NetworkView> = {}): NetworkView {
  const names = new Set(services.flatMap(({ networks }) => networks.map(({ network }) => network)));
  const networks: readonly NetworkRoutes[] = [...names].map((name) => ({
    kind: "network",
    name,
    internal: name.startsWith("internal"),
  }));
  return {
    node: {
      kind: "node",
      nodeId: asId("n1"),
      nodeName: "n1",
      subnet: "10.210.1.0/24",
      addressPool: "10.210.0.0/16",
      leaseMs: 6_000,
    },
    mesh: {
      kind: "mesh",
      addressPool: "10.210.0.0/16",
      servicePool: "10.210.224.0/19",
      encryption: "wireguard",
      port: 51_820,
      nodes: [meshNode(1), meshNode(2), meshNode(3)],
    },
    ingress: [],
    certificates: [],
    challenges: [],
    services,
    networks,
    tasks: [],
    ...changes,
  };
}
