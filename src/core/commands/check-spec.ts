// Whether a stack's specifications can be accepted at all: names, numbers, what is mounted and attached, ports that collide for certain,
// and what davit does not do yet, by name. Every fault is reported at once, with the service it is in. Pure.

import { MAX_OWN_LEASE_MS, MAX_REPLACE_AFTER_MS, MIN_OWN_LEASE_MS } from "../lease/own-lease.ts";
import {
  isJobMode,
  MAX_DRAIN_MS,
  type PortSpec,
  type ServiceSpec,
  type StackSpec,
  type TaskTemplate,
} from "../model/service-spec.ts";
import { configFaults } from "./check-configs.ts";
import { ingressClashes, ingressFaults } from "./check-ingress.ts";
import { scaleFaults } from "./check-scale.ts";
import { jobFaults, orderFaults } from "./check-jobs.ts";
import { dependencyFaults } from "./check-dependencies.ts";
import type { CommandContext } from "./command.ts";
import { namedServiceFaults, placementFaults } from "./check-placement.ts";
import { policyFaults } from "./check-policies.ts";
import { type Fault, invalid, refuse } from "./fault.ts";

/** More replicas than ten nodes of a /24 each can hold are a slip of the finger. */
export const MAX_REPLICAS = 10_000;
/** Services in one stack: a commit holds them all. */
export const MAX_SERVICES = 500;

const SERVICE_NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const STACK_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** Throws one DavitError that lists every fault; its code is that of the gravest. `outside`: the services of no stack and of others. */
export function checkStack(spec: StackSpec, outside: readonly ServiceSpec[], context: CommandContext): void {
  const faults: Fault[] = [];
  if (!STACK_NAME.test(spec.name))
    faults.push(
      invalid("name", `'${spec.name}' is not a stack name: 1–63 characters of [a-z0-9_-], the first a letter or digit`),
    );
  if (spec.services.length > MAX_SERVICES)
    faults.push({
      code: "too_large",
      where: "services",
      message: `${spec.services.length} services are more than ${MAX_SERVICES}`,
    });
  faults.push(...checkUnique(spec));
  for (const service of spec.services) {
    if (service.stack !== spec.name)
      faults.push(invalid(service.name, `belongs to stack '${service.stack ?? ""}', not to '${spec.name}'`));
    faults.push(...serviceFaults(service, context), ...referenceFaults(service, spec));
  }
  for (const volume of spec.volumes)
    if (!VOLUME_NAME.test(volume.name)) faults.push(invalid(`volumes.${volume.name}`, "is not a volume name"));
  faults.push(
    ...namedServiceFaults(spec.services, [...spec.services, ...outside]),
    ...orderFaults(spec.services, outside),
    ...dependencyFaults(spec.services),
    ...ingressClashes(spec.services, outside, context.provesByDns === true),
    ...configFaults(spec, context.hashBytes),
  );
  refuse(`deploy ${spec.name}`, faults);
}

/** Throws like `checkStack`, for one service on its own. */
export function checkService(what: string, spec: ServiceSpec, context: CommandContext): void {
  refuse(what, serviceFaults(spec, context));
}

/** Throws `invalid_input` for a number of replicas out of range. */
export function checkReplicas(what: string, replicas: number): void {
  refuse(what, replicaFaults("replicas", replicas));
}

function checkUnique(spec: StackSpec): readonly Fault[] {
  const kinds = { services: spec.services, volumes: spec.volumes, networks: spec.networks };
  return Object.entries(kinds).flatMap(([kind, items]) => {
    const seen = new Set<string>();
    return items.flatMap(({ name }) => {
      const isTwice = seen.has(name);
      seen.add(name);
      return isTwice ? [invalid(`${kind}.${name}`, "is there twice")] : [];
    });
  });
}

function serviceFaults(spec: ServiceSpec, context: CommandContext): readonly Fault[] {
  const where = spec.name;
  const faults: Fault[] = [];
  if (!SERVICE_NAME.test(spec.name))
    faults.push(invalid(where, "is not a service name: 1–63 characters of [a-z0-9_.-], the first a letter or digit"));
  if (spec.template.container.image.trim() === "") faults.push(invalid(where, "has no image"));
  faults.push(
    ...(spec.mode.kind === "replicated" ? replicaFaults(where, spec.mode.replicas) : []),
    ...jobFaults(spec, context),
    ...ingressFaults(spec),
    ...scaleFaults(spec),
    ...portFaults(where, spec.template.ports),
    ...networkFaults(where, spec.template),
    ...reachFaults(spec),
    ...placementFaults(spec),
    ...policyFaults(spec),
  );
  return [...faults, ...lossFaults(spec, context)];
}

/** What becomes of tasks on a node that is lost. */
function lossFaults(
  { name, mode, template, replaceAfterMs }: ServiceSpec,
  { hasFence }: CommandContext,
): readonly Fault[] {
  const { onLeaseLost, leaseMs } = template;
  const faults: Fault[] = [];
  if (onLeaseLost === "stop" && hasFence !== true)
    faults.push({
      code: "not_supported",
      where: name,
      message: "x-davit.on_lease_lost: stop is not supported: without a fence on the node it could not be kept",
      wayOut:
        "leave it out: the default 'keep' lets containers run on when the coordinator is away; a pinned volume keeps a second copy from starting elsewhere, and replace_after gives a lost node time",
    });
  if (onLeaseLost === "stop" && isJobMode(mode))
    faults.push(
      invalid(name, "x-davit.on_lease_lost: stop is not for jobs: what a run has done is not undone by stopping it"),
    );
  if (leaseMs !== undefined && onLeaseLost !== "stop")
    faults.push(invalid(name, "x-davit.lease says how long on_lease_lost: stop waits: it means nothing without that"));
  if (leaseMs !== undefined && !(leaseMs >= MIN_OWN_LEASE_MS && leaseMs <= MAX_OWN_LEASE_MS))
    faults.push(
      invalid(
        name,
        `x-davit.lease of ${leaseMs / 1_000} s: from ${MIN_OWN_LEASE_MS / 1_000} s to ${MAX_OWN_LEASE_MS / 3_600_000} h`,
      ),
    );
  if (replaceAfterMs === undefined) return faults;
  if (isJobMode(mode))
    faults.push(
      invalid(
        name,
        "x-davit.replace_after is not for jobs: a run on a lost node is made again elsewhere; job.timeout limits it",
      ),
    );
  if (mode.kind === "global")
    faults.push(
      invalid(
        name,
        "x-davit.replace_after means nothing for a service on every node: its tasks wait for their node anyway",
      ),
    );
  if (!(replaceAfterMs >= 0 && replaceAfterMs <= MAX_REPLACE_AFTER_MS))
    faults.push(
      invalid(
        name,
        `x-davit.replace_after of ${replaceAfterMs / 1_000} s: from 0 to ${MAX_REPLACE_AFTER_MS / 86_400_000} days`,
      ),
    );
  return faults;
}

/** In the host's network a container's ports are the host's own; without one nothing can be reached. */
function networkFaults(where: string, { container, ports, networks, health }: TaskTemplate): readonly Fault[] {
  const mode = container.networkMode;
  if (mode === undefined) return [];
  const faults: Fault[] = [];
  if (ports.length > 0) faults.push(invalid(where, `has network mode ${mode} and publishes ports: it cannot do both`));
  if (networks.length > 0)
    faults.push(invalid(where, `has network mode ${mode} and is on networks: it cannot do both`));
  if (mode === "none" && (health.probe.kind === "http" || health.probe.kind === "tcp"))
    faults.push(invalid(where, `has network mode none: no ${health.probe.kind} probe can reach it`));
  return faults;
}

/** How it is reached: what is said there must be sayable. */
function reachFaults({ name, mode, template, reach = {} }: ServiceSpec): readonly Fault[] {
  const { drainMs = 0, policy = [] } = reach;
  const faults: Fault[] = [];
  if (drainMs < 0 || drainMs > MAX_DRAIN_MS)
    faults.push(invalid(name, `drain of ${drainMs} ms: from 0 to ${MAX_DRAIN_MS}`));
  for (const { from, ports } of policy) {
    if (ports.length === 0) faults.push(invalid(name, `policy: ${from} may call no port: leave it out, or name ports`));
    const wrong = ports.find(({ port }) => !isPort(port));
    if (wrong !== undefined) faults.push(invalid(name, `policy: ${from}: port ${wrong.port} is not from 1 to 65535`));
  }
  const isUnreached = isJobMode(mode) || template.container.networkMode !== undefined;
  if (isUnreached && Object.keys(reach).length > 0)
    faults.push(
      invalid(
        name,
        "is a job or outside of davit's network, where nobody is balanced, drained or let in: leave that out",
      ),
    );
  return faults;
}

function isPort(port: number): boolean {
  return Number.isSafeInteger(port) && port >= 1 && port <= 65_535;
}

function replicaFaults(where: string, replicas: number): readonly Fault[] {
  const isFine = Number.isSafeInteger(replicas) && replicas >= 0 && replicas <= MAX_REPLICAS;
  return isFine ? [] : [invalid(where, `${replicas} replicas: must be a whole number from 0 to ${MAX_REPLICAS}`)];
}

function portFaults(where: string, ports: readonly PortSpec[]): readonly Fault[] {
  const faults: Fault[] = [];
  ports.forEach((port, at) => {
    const { from, to } = port.published;
    if (![port.target, from, to].every(isPort) || from > to)
      faults.push(
        invalid(
          where,
          `port ${from}-${to}:${port.target}: ports are from 1 to 65535, a range's first not above its last`,
        ),
      );
    const twin = ports.slice(0, at).find((other) => isFixed(other) && isFixed(port) && collides(other, port));
    if (twin !== undefined)
      faults.push({ code: "conflict", where, message: `publishes ${port.protocol} port ${from} twice` });
  });
  return faults;
}

function referenceFaults(service: ServiceSpec, stack: StackSpec): readonly Fault[] {
  const volumes = new Set(stack.volumes.map((volume) => volume.name));
  const networks = new Set(stack.networks.map((network) => network.name));
  const mounted = service.template.container.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.volume] : []));
  return [
    ...mounted
      .filter((name) => !volumes.has(name))
      .map((name) => invalid(service.name, `mounts volume '${name}', which the stack does not have`)),
    ...service.template.networks
      .filter(({ network }) => !networks.has(network))
      .map(({ network }) => invalid(service.name, `is on network '${network}', which the stack does not have`)),
  ];
}

function isFixed(port: PortSpec): boolean {
  return port.published.from === port.published.to;
}

/** Whether two fixed ports cannot both be bound on one node. */
function collides(a: PortSpec, b: PortSpec): boolean {
  const isAny = (ip: string | undefined): boolean => ip === undefined || ip === "0.0.0.0" || ip === "::";
  return (
    a.protocol === b.protocol &&
    a.published.from === b.published.from &&
    (isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp === b.hostIp)
  );
}

/** Two services that can never share a node, one of which is on every node: the other would wait for ever. In words, or undefined. */
export function certainPortConflict(a: ServiceSpec, b: ServiceSpec): string | undefined {
  const isEverywhere = (spec: ServiceSpec): boolean =>
    spec.mode.kind === "global" &&
    spec.template.placement.constraints.length === 0 &&
    spec.template.placement.platforms.length === 0;
  if (!isEverywhere(a) && !isEverywhere(b)) return undefined;
  for (const port of a.template.ports.filter(isFixed)) {
    const other = b.template.ports.filter(isFixed).find((candidate) => collides(port, candidate));
    if (other !== undefined)
      return `${port.protocol} port ${port.published.from} is published by both ${a.name} and ${b.name}, and one of them runs on every node`;
  }
  return undefined;
}
