// How services are found and published: a Service under the Compose name for what listens inside, and one more where published ports are
// others than those. Without any known port it is headless, and the name leads to the pods, whatever they listen on. Pure.

import type { PortSpec } from "../core/model/service-spec.ts";
import type { ServiceContext, StackContext } from "./context.ts";
import type { ExportedPort, Fields, IngressRoute, Manifest, Value } from "./manifest.ts";
import { isDnsLabel } from "./names.ts";

/** What the engine's loader writes for "any free port": Kubernetes' own range of node ports. */
const NODE_PORTS = { from: 30_000, to: 32_767 } as const;
const LOOPBACK = /^(127\.|::1$|localhost$)/;
const EVERYWHERE: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "*"]);

type Published = ExportedPort & { readonly target: number; readonly nodePort?: number | undefined };

export type Exposure = {
  /** What it listens on, as far as known: by number, TCP before UDP. */
  readonly inside: readonly ExportedPort[];
  readonly published: readonly Published[];
};

/** `routes`: of an Ingress to this service; what goes through it is not published a second time. */
export function exposureOf(context: ServiceContext, routes: readonly IngressRoute[]): Exposure {
  const { spec, options, note } = context;
  const { ports, health } = spec.template;
  const probe = health.probe.kind === "http" || health.probe.kind === "tcp" ? [health.probe.port] : [];
  const known: readonly ExportedPort[] = [
    ...ports.map(({ target, protocol }) => ({ port: target, protocol })),
    ...(options.exposed[spec.name] ?? []),
    ...[...probe, ...routes.flatMap(({ port }) => port ?? [])].map((port) => ({ port, protocol: "tcp" as const })),
  ];
  const inside = [...new Map(known.map((port) => [portKey(port), port])).values()].sort(
    (a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1),
  );
  for (const { target, names = [] } of ports)
    if (names.length > 0)
      note(
        "ports",
        `${target} is found by ${names.map((name) => `_${name}`).join(" and ")} in SRV records: here by its number`,
        "give the Service's port that name",
      );
  const routed = new Set(routes.map(({ port }) => port ?? onlyPort(inside)));
  const published = ports
    .filter(({ mode, target, protocol }) => mode === "ingress" && !(protocol === "tcp" && routed.has(target)))
    .flatMap((port) => publishedOf(context, port) ?? []);
  return { inside, published: distinct(context, published) };
}

/** A node port is found by its target, so there is one for each; elsewhere the published port counts. */
function distinct({ options, note }: ServiceContext, published: readonly Published[]): readonly Published[] {
  const keyOf = (port: Published): string =>
    options.publish === "node-port" ? portKey({ ...port, port: port.target }) : portKey(port);
  const byKey = new Map<string, Published>();
  for (const port of published) {
    const key = keyOf(port);
    if (byKey.has(key)) note("ports", `${key} is published twice: here once`, "publish it once");
    else byKey.set(key, port);
  }
  return [...byKey.values()];
}

/** The one TCP port that something listens on; undefined when there are several, or none. */
export function onlyPort(inside: readonly ExportedPort[]): number | undefined {
  const tcp = inside.filter(({ protocol }) => protocol === "tcp");
  return tcp.length === 1 ? tcp[0]?.port : undefined;
}

function portKey({ port, protocol }: ExportedPort): string {
  return `${protocol}-${port}`;
}

function publishedOf({ note, options, spec }: ServiceContext, port: PortSpec): Published | undefined {
  const { target, published, protocol, hostIp = "" } = port;
  if (spec.template.container.networkMode !== undefined) return undefined;
  if (!EVERYWHERE.has(hostIp)) {
    note(
      "ports",
      LOOPBACK.test(hostIp)
        ? `${target} is published on ${hostIp} only, so it is not published here`
        : `${target} is published on ${hostIp} only, which a Service cannot do: it is not published here`,
      "reach it with kubectl port-forward, or leave the address out",
    );
    return undefined;
  }
  const isChosen = published.from === NODE_PORTS.from && published.to === NODE_PORTS.to;
  if (published.from !== published.to && !isChosen)
    note(
      "ports",
      `${target} is published on one of ${published.from}–${published.to}: here on the first`,
      "give one port",
    );
  const isNodePort = published.from >= NODE_PORTS.from && published.from <= NODE_PORTS.to;
  if (options.publish === "node-port" && !isNodePort)
    note(
      "ports",
      `${published.from} is no node port (30000–32767): Kubernetes chooses one for ${target}`,
      "publish a port of that range, or use --publish load-balancer",
    );
  return {
    port: isChosen ? target : published.from,
    protocol,
    target,
    nodePort: isNodePort && !isChosen ? published.from : undefined,
  };
}

/** All Services of one service: under its name, its aliases, and for what it publishes. */
export function servicesOf(
  stack: StackContext,
  context: ServiceContext,
  exposure: Exposure,
  isStateful: boolean,
): readonly Manifest[] {
  const { spec, options, name, short } = context;
  if (spec.template.container.networkMode === "none") return [];
  const { inside, published } = exposure;
  const isJob = spec.mode.kind.endsWith("-job");
  if (short !== name)
    context.note("name", `it is called ${name}: '${short}' is no name of a Service`, `let others connect to ${name}`);
  const isNodePort = options.publish === "node-port";
  const isInCluster = options.publish === "cluster-ip";
  const outer = isInCluster ? [] : published;
  const isOne =
    outer.length > 0 &&
    !isStateful &&
    outer.length === inside.length &&
    outer.every(({ port, target }) => isNodePort || port === target);
  const inner = insideSpec(context, inside, isStateful, isInCluster ? published : []);
  const outerSpec = {
    type: isNodePort ? "NodePort" : "LoadBalancer",
    selector: context.selector,
    ports: outer.map((port) => (isNodePort ? onNodes(stack, context, port) : servicePort(port))),
  };
  const made: Manifest[] = [];
  if (isOne) made.push(serviceManifest(context, name, outerSpec));
  else if (!isJob || inside.length > 0) made.push(serviceManifest(context, name, inner));
  if (!isOne && outer.length > 0)
    made.push(serviceManifest(context, stack.serviceNames.take(`${name}-published`), outerSpec));
  if (made.length > 0) made.push(...aliasesOf(stack, context).map((alias) => serviceManifest(context, alias, inner)));
  return made;
}

/** Headless for a StatefulSet, whose pods it names, and where no port is known. */
function insideSpec(
  { selector }: ServiceContext,
  inside: readonly ExportedPort[],
  isStateful: boolean,
  more: readonly Published[],
): Fields {
  const own = inside.map(({ port, protocol }) => ({ port, target: port, protocol }));
  const taken = new Set(own.map(portKey));
  const ports = [...own, ...more.filter((port) => !taken.has(portKey(port)))];
  return {
    ...(isStateful || ports.length === 0 ? { clusterIP: "None" } : {}),
    selector,
    ...(ports.length === 0 ? {} : { ports: ports.map((port) => servicePort(port)) }),
  };
}

function servicePort(port: Published): Fields {
  return { name: portKey(port), port: port.port, targetPort: port.target, protocol: port.protocol.toUpperCase() };
}

function onNodes({ nodePorts }: StackContext, { note }: ServiceContext, port: Published): Value {
  const { nodePort, target } = port;
  const plain = servicePort({ ...port, port: target });
  if (nodePort === undefined) return plain;
  if (nodePorts.has(nodePort)) {
    note("ports", `${nodePort} is another Service's: Kubernetes chooses a port for ${target}`, "publish another port");
    return plain;
  }
  nodePorts.add(nodePort);
  return { ...plain, nodePort };
}

function serviceManifest({ labels }: ServiceContext, name: string, spec: Fields): Manifest {
  return { apiVersion: "v1", kind: "Service", metadata: { name, labels }, spec };
}

function aliasesOf(stack: StackContext, context: ServiceContext): readonly string[] {
  const aliases = new Set(context.spec.template.networks.flatMap((network) => network.aliases));
  return [...aliases].sort().flatMap((alias) => {
    if (alias === context.name || alias === context.short) return [];
    if (isDnsLabel(alias) && !stack.serviceNames.has(alias)) return [stack.serviceNames.take(alias)];
    context.note(
      "networks.aliases",
      isDnsLabel(alias) ? `'${alias}' is the name of another Service` : `'${alias}' is no name of a Service`,
      "use another alias: letters, digits and -, the first a letter",
    );
    return [];
  });
}
