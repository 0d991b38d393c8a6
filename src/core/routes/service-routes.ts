// One service's section of the routes: names, address, networks, endpoints. A service that was removed is listed until its last task is
// over: what still runs of it stays a member of its networks, and gets no connection. Pure.

import type { ServiceId } from "../model/ids.ts";
import type { ServiceVersion, Task } from "../model/records.ts";
import { publishedOf } from "../model/published-port.ts";
import type { Endpoint, PolicyRule, ServiceRoutes } from "../model/routes.ts";
import {
  type AllowedCaller,
  isJobMode,
  type NetworkAttachment,
  type PortSpec,
  type ServiceSpec,
} from "../model/service-spec.ts";
import { type State, versionKey } from "../model/world.ts";
import { isListed, standingOf } from "./standing.ts";

/** The key of a service's section. */
export function serviceSection(serviceId: string): string {
  return `service/${serviceId}`;
}

/** `tasks`: all of the service's. Undefined when there is nothing to say: no such service, or one outside of the nodes' bridges. */
export function serviceRoutes(state: State, serviceId: ServiceId, tasks: Iterable<Task>): ServiceRoutes | undefined {
  const service = state.service.get(serviceId);
  const listed = [...tasks].filter((task) => isListed(state, task)).sort(bySlot);
  const versions = versionsOf(state, serviceId, service?.version, listed);
  const [current] = versions;
  if (current === undefined || current.spec.template.container.networkMode !== undefined) return undefined;
  const { spec } = current;
  const isJob = isJobMode(spec.mode);
  return {
    kind: "service",
    serviceId,
    name: spec.name,
    ...(spec.stack === undefined ? {} : { stack: spec.stack }),
    shortName: shortNameOf(spec),
    ...(service?.address === undefined ? {} : { address: service.address }),
    balance: spec.reach?.balance ?? "random",
    networks: networksOf(versions),
    ports: service === undefined ? [] : publishedOf(spec.template.ports, service.ports ?? []),
    namedPorts: namedPortsOf(spec.template.ports),
    ...(spec.scale === undefined || service === undefined ? {} : { waking: spec.scale.ports }),
    ...(spec.reach?.policy === undefined ? {} : { policy: rulesOf(state, spec.reach.policy) }),
    endpoints: listed.map((task) => endpointOf(state, task, isJob)),
  };
}

/** The version that should run first, then those that its tasks were made from. */
function versionsOf(
  state: State,
  serviceId: ServiceId,
  wanted: number | undefined,
  tasks: readonly Task[],
): readonly ServiceVersion[] {
  const made = tasks.map((task) => task.specVersion).sort((a, b) => b - a);
  const numbers = new Set([...(wanted === undefined ? [] : [wanted]), ...made]);
  return [...numbers].flatMap((version) => state.serviceVersion.get(versionKey(serviceId, version)) ?? []);
}

/** Networks of every version that still has tasks: an old task must not lose its own in the middle of a rollout. */
function networksOf(versions: readonly ServiceVersion[]): readonly NetworkAttachment[] {
  const aliases = new Map<string, Set<string>>();
  for (const { spec } of versions)
    for (const { network, aliases: names } of spec.template.networks)
      aliases.set(network, new Set([...(aliases.get(network) ?? []), ...names]));
  return [...aliases]
    .map(([network, names]) => ({ network, aliases: [...names].sort() }))
    .sort((a, b) => (a.network < b.network ? -1 : 1));
}

/** The port inside the container, each name once for a protocol: the first one counts. */
function namedPortsOf(ports: readonly PortSpec[]): ServiceRoutes["namedPorts"] {
  const named = new Map<string, ServiceRoutes["namedPorts"][number]>();
  for (const { target, protocol, names } of ports)
    for (const name of names ?? []) {
      const key = `${name}/${protocol}`;
      if (!named.has(key)) named.set(key, { name, port: target, protocol });
    }
  return [...named.values()];
}

/** A caller that is not there may call nothing: its rule comes true once it is. */
function rulesOf(state: State, policy: readonly AllowedCaller[]): readonly PolicyRule[] {
  const byName = new Map([...state.service.values()].map((service) => [service.name, service.id]));
  return policy.flatMap(({ from, ports }) => {
    const id = byName.get(from);
    return id === undefined ? [] : [{ from: id, ports }];
  });
}

function endpointOf(
  state: State,
  task: Task & { readonly nodeId: Endpoint["nodeId"]; readonly address: string },
  isJob: boolean,
): Endpoint {
  return {
    taskId: task.id,
    nodeId: task.nodeId,
    address: task.address,
    slot: task.slot,
    weight: task.weight,
    standing: standingOf(state, task, isJob),
  };
}

function shortNameOf({ name, stack }: ServiceSpec): string {
  return stack !== undefined && name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name;
}

function bySlot(a: Task, b: Task): number {
  return a.slot - b.slot || (a.id < b.id ? -1 : 1);
}
