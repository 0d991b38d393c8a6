// Which port each service of a stack is published on: unique over the cluster, since every node answers on it, before whatever listens there. A
// single port is what the file says; of a range the service gets the first that is free, and keeps it as long as it is in its range. What
// another service has, or anything on any host listens on, is refused by name. Pure.

import { DavitError } from "../model/errors.ts";
import { collides, isAnyAddress, isPublishedBy, type PublishedPort } from "../model/published-port.ts";
import { DEFAULT_MESH_PORT, type Listener } from "../model/records.ts";
import { type Cidr, contains, parseCidr } from "../model/subnets.ts";
import type { PortSpec, ServiceSpec } from "../model/service-spec.ts";
import type { State } from "../model/world.ts";

type Taken = { readonly port: PublishedPort; readonly by: string };

/** By the services' full names. Throws `conflict` when a port is another service's or something listens on it, or a range has none left. */
export function publishedPorts(
  state: State,
  stack: string,
  specs: readonly ServiceSpec[],
): ReadonlyMap<string, readonly PublishedPort[]> {
  const services = [...state.service.values()];
  const taken: Taken[] = [...othersPorts(state, stack), ...ownHostPorts(specs)];
  const known = new Map(services.map((service) => [service.name, service.ports ?? []]));
  const given = new Map<string, PublishedPort[]>();
  // single ports first: no range of the same stack may take what another service must have
  for (const isFirst of [true, false]) {
    for (const { name, template } of specs) {
      for (const spec of template.ports) {
        if (spec.mode !== "ingress" || isSingle(spec) !== isFirst) continue;
        const port = choose(state, name, spec, known.get(name) ?? [], taken);
        taken.push({ port, by: name });
        given.set(name, [...(given.get(name) ?? []), port]);
      }
    }
  }
  return given;
}

function othersPorts(state: State, stack: string): readonly Taken[] {
  const others = [...state.service.values()].filter((service) => service.stack !== stack);
  const names = new Map(others.map((service) => [service.id, service.name]));
  const ofTasks = [...state.task.values()].flatMap((task): readonly Taken[] => {
    const by = names.get(task.serviceId);
    return by === undefined || task.desired !== "running" ? [] : task.hostPorts.map((port) => ({ port, by }));
  });
  return [
    ...others.flatMap((service): readonly Taken[] => (service.ports ?? []).map((port) => ({ port, by: service.name }))),
    ...ofTasks,
  ];
}

/** Of the mode that binds them on the task's node; of a range each task finds one that nobody has. */
function ownHostPorts(specs: readonly ServiceSpec[]): readonly Taken[] {
  return specs.flatMap(({ name, template }): readonly Taken[] =>
    template.ports
      .filter((spec) => spec.mode === "host" && isSingle(spec))
      .map((spec) => ({ port: portOf(spec, spec.published.from), by: name })),
  );
}

function choose(
  state: State,
  name: string,
  spec: PortSpec,
  before: readonly PublishedPort[],
  taken: readonly Taken[],
): PublishedPort {
  const { from, to } = spec.published;
  const kept = before.filter((port) => isPublishedBy(port, spec)).map(({ published }) => published);
  const all = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  let inTheWay = {
    by: "others already",
    wayOut: "publish another port: every node answers on it, so only one service can have it",
  };
  for (const published of [...kept, ...all]) {
    const port = portOf(spec, published);
    const other = taken.find((one) => collides(one.port, port));
    // what it has, it keeps: connections are led to it already
    const listener = other !== undefined || kept.includes(published) ? undefined : listenerOf(state, port);
    if (other === undefined && listener === undefined) return port;
    if (other !== undefined) inTheWay = { ...inTheWay, by: `published by ${other.by} already` };
    else if (listener !== undefined) inTheWay = listener;
  }
  const what = isSingle(spec) ? `port ${from}/${spec.protocol} is` : `all ports ${from}–${to}/${spec.protocol} are`;
  const { by, wayOut } = inTheWay;
  throw new DavitError("conflict", `publish ports of ${name}: ${what} ${by}`, { wayOut });
}

function portOf({ target, protocol, hostIp }: PortSpec, published: number): PublishedPort {
  return { published, target, protocol, ...(hostIp === undefined ? {} : { hostIp }) };
}

/** What listens on a host where the port is to be led elsewhere, with all hosts that have something there. */
function listenerOf(state: State, port: PublishedPort): { readonly by: string; readonly wayOut: string } | undefined {
  const [cluster] = state.cluster.values();
  if (port.protocol === "udp" && port.published === (cluster?.meshPort ?? DEFAULT_MESH_PORT))
    return { by: "the mesh's own", wayOut: "publish another port" };
  const pool = cluster === undefined ? undefined : parseCidr(cluster.addressPool);
  const found = [...state.node.values()].flatMap((node) => {
    if (node.confirmedDeadAtMs !== undefined) return [];
    const listeners = state.nodeStatus.get(node.id)?.listeners ?? [];
    const one = listeners.find((listener) => bars(listener, port) && !isOurs(listener, pool));
    return one === undefined ? [] : [{ node: node.name, process: one.process }];
  });
  const [first] = found;
  if (first === undefined) return undefined;
  const where = found.length > 3 ? `${found.length} hosts` : found.map(({ node }) => node).join(" and ");
  return {
    by: `in use on ${first.node}${first.process === undefined ? "" : ` by ${first.process}`}`,
    wayOut: `stop what listens there on ${where}, or publish another port: every node answers on it, before whatever listens`,
  };
}

function bars({ protocol, port, address }: Listener, wanted: PublishedPort): boolean {
  if (protocol !== wanted.protocol || port !== wanted.published) return false;
  return isAnyAddress(wanted.hostIp) || address === undefined || address === wanted.hostIp;
}

/** What listens inside the pool is davit's: published ports answer on the hosts' own addresses. */
function isOurs({ address }: Listener, pool: Cidr | undefined): boolean {
  return address !== undefined && pool !== undefined && contains(pool, address);
}

function isSingle({ published }: PortSpec): boolean {
  return published.from === published.to;
}
