// Networks to NetworkPolicies: services that share a network reach each other, others do not; published ports stay open to all. Without
// them every pod of a cluster reaches every other, which is noted where the file asks for less. Pure.

import type { ServiceContext, StackContext } from "./context.ts";
import { type Manifest, told, type Value } from "./manifest.ts";
import { Names, shortName } from "./names.ts";
import type { Exposure } from "./services.ts";

const NAME = "app.kubernetes.io/name";
const OWN_DRIVERS: ReadonlySet<string> = new Set(["davit", "overlay", "bridge", "default", ""]);
const DNS = {
  to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } }],
  ports: [
    { port: 53, protocol: "UDP" },
    { port: 53, protocol: "TCP" },
  ],
};

export function networkPolicies(
  context: StackContext,
  exposures: ReadonlyMap<ServiceContext, Exposure>,
): readonly Manifest[] {
  noteNetworks(context);
  const { options, services } = context;
  if (!options.networkPolicies) return [];
  const names = new Names();
  const members = membersOf(services);
  const within = [...members].map(([network, joined]) =>
    policy(context, names.take(`network-${shortName(network, context.stack.name)}`), {
      podSelector: podsOf(context, joined),
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: podsOf(context, joined) }] }],
    }),
  );
  const open = services.flatMap((service) => {
    const ports = openPorts(service, exposures.get(service));
    if (ports.length === 0) return [];
    const spec = { podSelector: { matchLabels: service.selector }, policyTypes: ["Ingress"], ingress: [{ ports }] };
    return [policy(context, names.take(`published-${service.name}`), spec)];
  });
  return [...within, ...open, ...internalPolicies(context, members, names)];
}

function policy({ labels }: StackContext, name: string, spec: { readonly [key: string]: Value }): Manifest {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, labels }, spec };
}

/** Services by the networks that they join, both sorted. */
function membersOf(services: readonly ServiceContext[]): ReadonlyMap<string, readonly ServiceContext[]> {
  const members = new Map<string, ServiceContext[]>();
  for (const service of services)
    for (const network of networksOf(service)) members.set(network, [...(members.get(network) ?? []), service]);
  return new Map([...members].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function networksOf({ spec }: ServiceContext): ReadonlySet<string> {
  return new Set(spec.template.networks.map(({ network }) => network));
}

function podsOf({ stack }: StackContext, services: readonly ServiceContext[]): Value {
  const [first] = services;
  const partOf = first?.selector["app.kubernetes.io/part-of"] ?? stack.name;
  return {
    matchLabels: { "app.kubernetes.io/part-of": partOf },
    matchExpressions: [{ key: NAME, operator: "In", values: services.map(({ name }) => name).sort() }],
  };
}

/** What others than the service's neighbours may reach: published ports, and what an Ingress or a node's port leads to. */
function openPorts({ spec, options, short }: ServiceContext, exposure: Exposure | undefined): readonly Value[] {
  if (exposure === undefined || spec.template.networks.length === 0) return [];
  const held = spec.template.ports.filter(({ mode }) => mode === "host");
  const outside = options.publish === "cluster-ip" ? [] : exposure.published;
  const routes = options.ingress.filter(({ service }) => service === short || service === spec.name);
  const tcp = exposure.inside.filter(({ protocol }) => protocol === "tcp");
  const routed = routes.map(({ port }) => ({ target: port ?? tcp[0]?.port ?? 0, protocol: "tcp" as const }));
  const keys = new Map(
    [...outside, ...held, ...routed].map(({ target, protocol }) => [
      `${target}/${protocol}`,
      { port: target, protocol: protocol.toUpperCase() },
    ]),
  );
  return [...keys.values()].filter(({ port }) => port > 0);
}

/** Who is on internal networks only reaches nothing but those who share them, and names. */
function internalPolicies(
  context: StackContext,
  members: ReadonlyMap<string, readonly ServiceContext[]>,
  names: Names,
): readonly Manifest[] {
  const internal = new Set(context.stack.networks.flatMap((network) => (network.internal ? [network.name] : [])));
  return context.services.flatMap((service) => {
    const joined = [...networksOf(service)].sort();
    if (joined.length === 0 || !joined.every((network) => internal.has(network))) return [];
    const to = joined.map((network) => ({ podSelector: podsOf(context, members.get(network) ?? []) }));
    const spec = { podSelector: { matchLabels: service.selector }, policyTypes: ["Egress"], egress: [{ to }, DNS] };
    return [policy(context, names.take(`internal-${service.name}`), spec)];
  });
}

function noteNetworks({ stack, options, services, noteOn }: StackContext): void {
  for (const network of stack.networks) {
    const note = noteOn(`networks.${shortName(network.name, stack.name)}`);
    if (Object.keys(network.labels).length > 0)
      note("labels", `${told(network.labels)}: a cluster has no networks to label`, "leave them out");
    if (Object.keys(network.driverOpts ?? {}).length > 0 || !OWN_DRIVERS.has(network.driver))
      note(
        "driver",
        `${told({ driver: network.driver, ...network.driverOpts })}: the cluster's network decides`,
        "leave the driver and its options out",
      );
    if (network.external)
      note(
        "external",
        "who else is on it is not known here",
        "let them in with a NetworkPolicy, or run without policies",
      );
    if (network.internal && !options.networkPolicies)
      note("internal", "its services reach everything", "export with --network-policies");
  }
  if (options.networkPolicies) return;
  const joined = services.map(networksOf).filter((networks) => networks.size > 0);
  const isApart = joined.some((some, at) => joined.slice(at + 1).some((other) => some.isDisjointFrom(other)));
  if (isApart)
    noteOn("")("networks", "services that share no network reach each other here", "export with --network-policies");
}
